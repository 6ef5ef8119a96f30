import { setTimeout as sleep } from 'node:timers/promises'
import { freeUdpPorts } from '../processes/free-ports.ts'
import type { Usage } from '../testing/cluster/process-usage.ts'
import type { Graph } from './graph.ts'
import { type EventOf, type PeerProcess, startPeer } from './peer-process.ts'
import type { Side } from './sides.ts'

/** All processes of one side. */
export interface Group extends AsyncDisposable {
  readonly side: string
  readonly peers: readonly PeerProcess[]
  /** Starts one process, which dials these; resolves once it has. */
  start(index: number, dials: readonly number[]): Promise<void>
  /** Starts all, one after the other; each dials earlier ones. */
  startAll(dials: Graph, signal: AbortSignal): Promise<void>
  /** Counts of each process since the last call. */
  counts(): Promise<readonly EventOf<'count'>[]>
  usage(): Promise<readonly Usage[]>
  /** CPU milliseconds of all processes since their start. */
  cpuMs(): Promise<number>
  /** Polls until the condition holds for all. Rejects with an error about `what` after the limit. */
  until(holds: Condition, what: string, wait: Wait): Promise<void>
}

export type Condition = (count: EventOf<'count'>, index: number) => boolean

export interface Wait {
  readonly limitMs: number
  readonly everyMs: number
  readonly signal: AbortSignal
}

const limits = { startMs: 40_000, countMs: 20_000 }

/** Spawns `count` processes of a side, which wait for `start`. */
export async function spawnGroup(side: Side, count: number): Promise<Group> {
  const ports = await freeUdpPorts(count)
  const starting = ports.map((port, i) =>
    startPeer(`${side.name}-${i}`, side.program(`/ip4/127.0.0.1/udp/${port}/quic-v1`)),
  )
  const results = await Promise.allSettled(starting)
  const peers = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const dispose = async () => {
    await Promise.all(peers.map((peer) => peer.end()))
  }
  const failed = results.find((one) => one.status === 'rejected')
  if (failed !== undefined) {
    await dispose()
    throw failed.reason
  }
  return groupOf(side, peers, dispose)
}

function groupOf(side: Side, peers: readonly PeerProcess[], dispose: () => Promise<void>): Group {
  const start = async (index: number, dials: readonly number[]) => {
    const dial = dials.flatMap((other) => peers[other]?.addresses[0] ?? [])
    await peers[index]?.request({ do: 'start', dial }, 'started', limits.startMs)
  }
  const counts = () => Promise.all(peers.map((peer) => peer.request({ do: 'count' }, 'count', limits.countMs)))
  return {
    side: side.name,
    peers,
    start,
    startAll: async (dials, signal) => {
      for (const [i, others] of dials.entries()) {
        await start(i, others)
        await sleep(side.paceMs, undefined, { signal })
      }
    },
    counts,
    usage: () => Promise.all(peers.map((peer) => peer.usage())),
    cpuMs: async () => {
      const used = await Promise.all(peers.map((peer) => peer.cpuMs()))
      return used.reduce((sum, one) => sum + one, 0)
    },
    until: async (holds, what, { limitMs, everyMs, signal }) => {
      const startMs = performance.now()
      for (;;) {
        const all = await counts()
        if (all.every(holds)) return
        if (performance.now() - startMs > limitMs) {
          const summaries = all.map(({ links, members }) => `${links}${members === undefined ? '' : `/${members}`}`)
          throw new Error(`${side.name}: timeout after ${limitMs} ms: ${what} (links/members ${summaries.join(' ')})`)
        }
        await sleep(everyMs, undefined, { signal })
      }
    },
    [Symbol.asyncDispose]: dispose,
  }
}
