import type { TraceSpan } from '../../traces/trace.ts'
import { pagePeer } from './page-mesh.ts'

const hex = (text: string, length: number) => Buffer.from(text).toString('hex').padEnd(length, '0').slice(0, length)

interface PageSpan {
  readonly name: string
  readonly node: string
  readonly trace: string
  readonly parent?: string
  readonly attributes?: TraceSpan['attributes']
  readonly links?: TraceSpan['links']
  readonly afterMs?: number
  readonly durationMs?: number
  readonly error?: boolean
}

/** What a store makes of a span without duration: at least a microsecond. */
const markerMs = 0.001

/** Id of a trace of `pageSpans`. */
export function pageTrace(key: string): string {
  return hex(key, 32)
}

/** Sample spans for tests of the page: each of `survivors` expired `victim`, each in its own minute. */
export function pageSpans(victim: string, survivors: readonly string[]): TraceSpan[] {
  const expired = survivors.flatMap((node) => [
    spanOf({ name: 'mesh.window', node, trace: `win-${node}`, attributes: { 'mesh.window.seq': 3 } }),
    spanOf({
      name: 'mesh.staleness.pruned',
      node,
      trace: `win-${node}`,
      parent: 'mesh.window',
      afterMs: 5_000,
      attributes: { 'mesh.pruned.count': 1, 'mesh.pruned.remaining': 8 },
    }),
    spanOf({
      name: 'mesh.member.expired',
      node,
      trace: `win-${node}`,
      parent: 'mesh.staleness.pruned',
      afterMs: 5_000,
      attributes: {
        'mesh.peer.id': pagePeer(victim),
        'mesh.peer.name': victim,
        'mesh.member.silence_ms': 31_200,
        'mesh.member.window_ms': 30_000,
      },
    }),
  ])
  const [node = ''] = survivors
  const link = { 'mesh.link.id': 'abc.1.7', 'mesh.peer.id': pagePeer(victim) }
  const opened = spanOf({ name: 'mesh.connection.opened', node, trace: 'opened', attributes: link })
  const links = [{ traceId: opened.traceId, spanId: opened.spanId }]
  const closed = { ...link, 'mesh.close.reason': 'silent' }
  return [
    ...expired,
    opened,
    spanOf({ name: 'mesh.connection.closed', node, trace: 'end', attributes: closed, links, afterMs: 9_000 }),
    spanOf({ name: 'mesh.seed.dial', node, trace: 'dial', attributes: { 'mesh.seed.cause': 'start' } }),
    ...[1, 2, 3].map((attempt) =>
      spanOf({
        name: attempt === 3 ? 'mesh.seed.giveup' : 'mesh.seed.retry',
        node,
        trace: 'dial',
        parent: 'mesh.seed.dial',
        afterMs: attempt * 2_000,
        durationMs: 900,
        attributes: { 'mesh.seed.attempt': attempt, 'mesh.error.message': '<img src=x onerror=alert(1)>' },
        error: attempt === 3,
      }),
    ),
  ]
}

function spanOf(effect: PageSpan): TraceSpan {
  const {
    name,
    node,
    trace,
    parent,
    attributes = {},
    links = [],
    afterMs = 0,
    durationMs = markerMs,
    error = false,
  } = effect
  const service = `mesh-${/-([ab])\d/.exec(node)?.[1] ?? 'a'}`
  const idOf = (span: string) => hex(`${span.slice(-6)}${trace.slice(-1)}${span === name ? afterMs : 5_000}`, 16)
  return {
    traceId: pageTrace(trace),
    spanId: idOf(name),
    parentSpanId: parent === undefined ? '' : spanIdOfParent(parent, trace),
    name,
    service,
    startMs: Date.now() - 40_000 + afterMs,
    durationMs,
    attributes,
    resource: { 'service.name': service, 'mesh.node.name': node, 'mesh.peer.self': pagePeer(node) },
    links,
    kind: 'internal',
    scope: { name: 'tracemesh', version: '' },
    status: error ? 'error' : 'unset',
  }
}

/** Only windows, dials and sweeps are parents; the first two are roots of their trace. */
function spanIdOfParent(parent: string, trace: string): string {
  const afterMs = parent === 'mesh.staleness.pruned' ? 5_000 : 0
  return hex(`${parent.slice(-6)}${trace.slice(-1)}${afterMs}`, 16)
}
