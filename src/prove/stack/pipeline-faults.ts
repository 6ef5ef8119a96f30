import type { RunningStack } from '../../stack/bare.ts'
import { startOtlpServer } from '../../store/otlp-server.ts'
import type { SmallDisk } from './small-disk.ts'

/** A stack whose queues and archive have a disk each. */
export interface Faulty {
  readonly stack: RunningStack
  readonly queueDisk: SmallDisk
  readonly archiveDisk: SmallDisk
}

export interface PipelineFault {
  readonly name: string
  /** Whether the Collector counts spans meanwhile, so that alerts about the mesh ring at once. */
  readonly countsMeanwhile: boolean
  /** Resolves to what ends it. */
  begin(faulty: Faulty): Promise<() => Promise<void>>
  /** By the alerts about the pipeline that fired. */
  hasBegun(fired: readonly string[]): boolean
  /** Alerts about the pipeline that fire if it lasts so long. */
  alerts(lastsMs: number): readonly string[]
  /** Alerts about the pipeline that the fault, or the one before it, may have caused besides. */
  readonly mayFire: readonly string[]
}

/** Space for some requests, but not for a minute. */
const leftBytes = 64 * 1_024
/** A minute, two scrapes, an evaluation, and the waits of Alertmanager. */
const downMs = 120_000
const archiveLost = 'MeshArchiveLost of file/spans'
const jaegerDown = 'MeshPipelineDown of mesh-jaeger'
/** Within ten minutes more than 2 % of a queue fills. */
const filling = ['otlp_grpc/jaeger', 'otlp_grpc/archive', 'otlp_http/door'].map(
  (exporter) => `MeshCollectorQueueFilling of ${exporter}`,
)
const refusing = ['MeshCollectorRefusing', 'MeshCollectorRefusing of otlp_http/door']

/** In this order: what the Collector refused rings for minutes afterwards, so that comes last. */
export const pipelineFaults: readonly PipelineFault[] = [
  {
    name: 'archive disk full',
    countsMeanwhile: true,
    begin: async ({ archiveDisk }) => {
      await archiveDisk.fill(0)
      return () => archiveDisk.free()
    },
    hasBegun: (fired) => fired.includes(archiveLost),
    alerts: () => [archiveLost],
    mayFire: filling,
  },
  {
    name: 'Jaeger away',
    countsMeanwhile: true,
    begin: async ({ stack }) => {
      await stack.stop('jaeger')
      return () => stack.start('jaeger')
    },
    hasBegun: () => true,
    alerts: (lastsMs) => (lastsMs < downMs ? [] : [jaegerDown]),
    mayFire: [archiveLost, jaegerDown, ...filling],
  },
  {
    name: 'Jaeger refusing',
    countsMeanwhile: true,
    begin: async ({ stack }) => {
      await stack.stop('jaeger')
      const { hostname, port } = new URL(stack.urls.jaegerOtlp)
      const refused = Promise.withResolvers<void>()
      const refuser = await startOtlpServer({
        address: { host: hostname, port: Number(port) },
        ingest: async () => {
          refused.resolve()
          throw new Error('no room')
        },
      })
      await refused.promise
      return async () => {
        refuser.close()
        await stack.start('jaeger')
      }
    },
    hasBegun: () => true,
    alerts: (lastsMs) => (lastsMs < downMs ? [] : [jaegerDown]),
    mayFire: [archiveLost, jaegerDown, ...filling],
  },
  {
    name: 'disk of the queues full',
    countsMeanwhile: false,
    begin: async ({ stack, queueDisk }) => {
      await stack.stop('jaeger')
      await queueDisk.fill(leftBytes)
      return async () => {
        await queueDisk.free()
        await stack.start('jaeger')
      }
    },
    hasBegun: (fired) => refusing.some((alert) => fired.includes(alert)),
    alerts: () => refusing,
    mayFire: [
      jaegerDown,
      ...filling,
      'MeshCollectorRefusing of otlp_grpc/jaeger',
      archiveLost,
      'MeshArchiveLost of otlp_grpc/archive',
    ],
  },
]
