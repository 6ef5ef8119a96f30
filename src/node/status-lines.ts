import type { Owner } from '../core/owner.ts'
import type { TracemeshService } from '../kit/service.ts'
import type { MeshLogger } from '../telemetry/log.ts'

interface StatusLineOptions {
  readonly mesh: Pick<TracemeshService, 'status'>
  readonly owner: Owner
  readonly logger: Pick<MeshLogger, 'info' | 'warn'>
}

const statusMs = 60_000

/**
 * Logs one line per minute: connected peers, records of the peer store, peers in the DHT's table, everything with an
 * owner, and memory in bytes under the names of Go's statistics. `heap_alloc` is the heap in use, `heap_inuse` what V8
 * holds for it, `sys` the resident memory of the process.
 */
export function startStatusLines({ mesh, owner, logger }: StatusLineOptions): void {
  const next = () => {
    if (!owner.closed) owner.after(statusMs, () => void logStatus().then(next))
  }
  const logStatus = async () => {
    try {
      const { connected, peerStore, dhtTable, resources } = await mesh.status()
      const { heapUsed, heapTotal, rss } = process.memoryUsage()
      const memory = { heap_alloc: heapUsed, heap_inuse: heapTotal, sys: rss }
      logger.info({ connected, peerstore: peerStore, dht_rt: dhtTable, resources, ...memory }, 'status')
    } catch (error) {
      if (!owner.closed) logger.warn({ err: error }, 'no status')
    }
  }
  next()
}
