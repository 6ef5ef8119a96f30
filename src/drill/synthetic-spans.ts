import { randomBytes } from 'node:crypto'
import { status } from '@grpc/grpc-js'
import { exportBytes, type OtlpClient, otlpClient } from '../store/otlp-client.ts'

/** Not in the catalogue, so that no rule about the mesh uses it; the Collector counts spans with this prefix. */
const spanName = 'mesh.drill.made_up'
/** Spans per request, well below the 4 MiB limit of receivers. */
const perRequest = 2_000
/** Codes by which the Collector reports a full queue. */
const fullCodes: readonly number[] = [status.RESOURCE_EXHAUSTED, status.UNAVAILABLE]

function request(mesh: string, nodes: readonly string[], spansOfEach: number): Buffer {
  const startMs = Date.now()
  const span = () => ({
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    name: spanName,
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
    const { code, details } = await client.send(request(mesh, names, 1))
    if (code !== status.OK) throw new Error(`the receiver refused spans: ${details}`)
  }
}

/**
 * Sends the same spans repeatedly, at most `maxSpans` in all, until the receiver has no room. Resolves to the number of
 * accepted spans; throws when it accepts all of them.
 */
export async function fillQueue(otlp: string, mesh: string, maxSpans: number, signal: AbortSignal): Promise<number> {
  await using client = disposable(otlpClient(otlp))
  const body = request(mesh, ['made-up'], perRequest)
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
