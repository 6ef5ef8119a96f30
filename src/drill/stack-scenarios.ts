import type { Scenario, Stage } from './scenario.ts'
import { fillQueue, sendNodeSpans } from './synthetic-spans.ts'
import { pause } from './waiting.ts'

/** More than the Collector's series limit of a mesh (`CALLS_LIMIT` in `otel/collector.yaml`, 5,000 by default). */
const syntheticNodes = 6_000
/** More than the capacity of its queue (`QUEUE_ITEMS`, 500,000 by default). */
const syntheticSpans = 2_000_000
/** Delay between two attempts at a full queue, in milliseconds: as in a node that retries. */
const retryMs = 2_000

/** Conditions of the pipeline, which stop and start services of the stack. */
export const stackScenarios: readonly Scenario[] = [
  {
    name: 'cardinality',
    alerts: ['MeshCardinalityOverflow'],
    description: `spans of ${syntheticNodes} nodes that do not exist; a restart of the Collector removes their series`,
    size: 0,
    holdsStack: true,
    condition: ({ stack, otlp, mesh, signal }) => ({
      prepare: async () => {},
      cause: async (caused) => {
        await sendNodeSpans(otlp, mesh.id, syntheticNodes, signal)
        caused('MeshCardinalityOverflow')
      },
      heal: async () => {
        await stack.stop('collector')
        await stack.start('collector')
      },
    }),
    undo: ({ stack }) => startAgain(stack, 'collector'),
  },
  {
    name: 'outage',
    alerts: ['MeshCollectorQueueFilling', 'MeshCollectorRefusing'],
    description: 'Jaeger is stopped, and synthetic spans fill the Collector’s queue until it refuses more',
    size: 0,
    holdsStack: true,
    condition: ({ stack, otlp, mesh, signal, clock }) => {
      const flood = { on: true }
      return {
        prepare: async () => {},
        cause: async (caused) => {
          await stack.stop('jaeger')
          await fillQueue(otlp, mesh.id, syntheticSpans, signal)
          caused('MeshCollectorQueueFilling')
          caused('MeshCollectorRefusing')
          // Real nodes would retry, too.
          const keepFull = async () => {
            while (flood.on) {
              await pause(clock, retryMs, signal)
              if (flood.on) await fillQueue(otlp, mesh.id, syntheticSpans, signal)
            }
          }
          keepFull().catch(() => {})
        },
        heal: async () => {
          flood.on = false
          await stack.start('jaeger')
        },
      }
    },
    undo: ({ stack }) => startAgain(stack, 'jaeger'),
  },
  {
    name: 'down',
    alerts: ['MeshPipelineDown'],
    description: 'the Collector is stopped',
    size: 0,
    holdsStack: true,
    condition: ({ stack }) => ({
      prepare: async () => {},
      cause: async (caused) => {
        await stack.stop('collector')
        caused('MeshPipelineDown')
      },
      heal: async () => void (await stack.start('collector')),
    }),
    undo: ({ stack }) => startAgain(stack, 'collector'),
  },
]

/** Starting a running service has no effect. */
async function startAgain(stack: Stage['stack'], service: 'collector' | 'jaeger'): Promise<void> {
  await stack.start(service)
}
