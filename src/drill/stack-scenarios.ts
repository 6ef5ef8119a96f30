import { randomBytes } from 'node:crypto'
import { status } from '@grpc/grpc-js'
import { exportBytes, type OtlpClient, otlpClient } from '../store/otlp-client.ts'
import { pause, type Scenario, type Stage } from './scenario.ts'

/** Share of the Collector's limit on series that made-up nodes fill: the alert fires from 80 % on. */
const filledShare = 0.9
/** More than the capacity of its queue (`QUEUE_ITEMS`, 500,000 by default). */
const syntheticSpans = 2_000_000
/** More than the capacity of the queue before its archive (`otlp_grpc/archive`), in a request that it receives. */
const unarchivedSpans = 60_000
/** Delay between two attempts at a full queue, in milliseconds: as in a node that retries. */
const retryMs = 2_000

/** Conditions of the pipeline, which stop and start services of the stack. */
export const stackScenarios: readonly Scenario[] = [
  {
    name: 'cardinality',
    alerts: ['MeshCardinalityOverflow'],
    description:
      'spans of nodes that do not exist, up to 90 % of the limit; a restart of the Collector removes their series',
    size: 0,
    holdsStack: true,
    condition: ({ stack, otlp, mesh, signal, seriesLimit }) => ({
      prepare: async () => {},
      cause: async (caused) => {
        await sendNodeSpans(otlp, mesh.id, Math.ceil(filledShare * (await seriesLimit())), signal)
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
    name: 'archive',
    alerts: ['MeshArchiveLost'],
    description: `a request of ${unarchivedSpans} synthetic spans, more than the queue before the archive holds`,
    size: 0,
    holdsStack: true,
    condition: ({ otlp, mesh }) => ({
      prepare: async () => {},
      cause: async (caused) => {
        await sendAtOnce(otlp, mesh.id, unarchivedSpans)
        caused('MeshArchiveLost')
      },
      heal: async () => {},
    }),
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

/** Not in the catalogue, so that no rule about the mesh uses it; the Collector counts it by mesh. */
const spanName = 'mesh.drill.made_up'
/** Counted by node. Of a node that never had a census no rule uses it. */
const nodeSpanName = 'mesh.node.stopped'
/** Spans per request, well below the 4 MiB limit of receivers. */
const perRequest = 2_000
/** Codes by which the Collector reports a full queue. */
const fullCodes: readonly number[] = [status.RESOURCE_EXHAUSTED, status.UNAVAILABLE]

function request(mesh: string, nodes: readonly string[], name: string, spansOfEach: number): Buffer {
  const startMs = Date.now()
  const span = () => ({
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    name,
    startMs,
  })
  const requests = nodes.map((node) =>
    exportBytes(
      { 'service.name': mesh, 'mesh.id': mesh, 'mesh.node.name': node, 'mesh.node.role': 'compute' },
      Array.from({ length: spansOfEach }, span),
    ),
  )
  return Buffer.concat(requests)
}

/** Sends one span from each of `count` nodes. Throws when the receiver refuses them. */
export async function sendNodeSpans(otlp: string, mesh: string, count: number, signal: AbortSignal): Promise<void> {
  await using client = disposable(otlpClient(otlp))
  for (let from = 0; from < count; from += perRequest) {
    signal.throwIfAborted()
    const names = Array.from({ length: Math.min(perRequest, count - from) }, (_, index) => `made-up-${from + index}`)
    const { code, details } = await client.send(request(mesh, names, nodeSpanName, 1))
    if (code !== status.OK) throw new Error(`the receiver refused spans: ${details}`)
  }
}

/** Sends `count` spans in one request. Throws when the receiver refuses it. */
export async function sendAtOnce(otlp: string, mesh: string, count: number): Promise<void> {
  await using client = disposable(otlpClient(otlp))
  const { code, details } = await client.send(request(mesh, ['made-up'], spanName, count))
  if (code !== status.OK) throw new Error(`the receiver refused spans: ${details}`)
}

/**
 * Sends the same spans repeatedly, at most `maxSpans` in all, until the receiver has no room. Resolves to the number of
 * accepted spans; throws when it accepts all of them.
 */
export async function fillQueue(otlp: string, mesh: string, maxSpans: number, signal: AbortSignal): Promise<number> {
  await using client = disposable(otlpClient(otlp))
  const body = request(mesh, ['made-up'], spanName, perRequest)
  for (let sent = 0; sent < maxSpans; sent += perRequest) {
    signal.throwIfAborted()
    const { code, details } = await client.send(body)
    if (fullCodes.includes(code)) return sent
    if (code !== status.OK) throw new Error(`the receiver refused spans: ${details}`)
  }
  throw new Error(`the receiver accepted ${maxSpans} spans and still has room`)
}

function disposable(client: OtlpClient): OtlpClient & AsyncDisposable {
  return { ...client, [Symbol.asyncDispose]: async () => client.close() }
}
