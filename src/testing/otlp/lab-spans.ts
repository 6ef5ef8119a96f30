import type { Random } from '../../core/machine.ts'
import type { SentSpan, SentValue } from '../../store/otlp-client.ts'

/** One node as its spans describe it. */
export interface PlayedNode {
  readonly resource: Readonly<Record<string, SentValue>>
  readonly peer: string
}

/** Spans of one node per minute: 1.28 a second, 23 a second for eighteen nodes. */
export const spansPerMinute = 77
/** Exports of one node per minute. */
export const exportsPerMinute = 6

const registries = 'links peers members digests dials streams topics seen waiting crossings spans timers owners'.split(
  ' ',
)

/** Nodes of the lab: two meshes of eight, and two bridges. */
export function playedNodes(random: Random): PlayedNode[] {
  return Array.from({ length: 18 }, (_, index) => {
    const mesh = index % 2 === 0 ? 'mesh-a' : 'mesh-b'
    const peer = `12D3KooW${base58(random, 44)}`
    return {
      peer,
      resource: {
        'service.name': mesh,
        'service.version': '0.1.0',
        'service.instance.id': hex(random, 32),
        'mesh.id': mesh,
        'mesh.node.name': `node-${index}`,
        'mesh.node.role': ['seed', 'broker', 'compute', 'gateway'][index % 4] ?? 'compute',
        'mesh.node.incarnation': 1,
        'mesh.peer.self': peer,
        'process.pid': 1_000 + index,
      },
    }
  })
}

/** The spans of one node in one minute, in emit order: most in one trace, a few in traces of links. */
export function playedMinute(nodes: readonly PlayedNode[], minute: number, fromMs: number, random: Random): SentSpan[] {
  const traceId = hex(random, 32)
  const root = hex(random, 16)
  let count = 0
  const span = (
    name: string,
    atMs: number,
    attributes: Record<string, SentValue>,
    more: Partial<SentSpan> = {},
  ): SentSpan => ({
    traceId,
    spanId: hex(random, 16),
    parentSpanId: root,
    name,
    startMs: fromMs + atMs + random(),
    durationMs: 0.001 + random(),
    attributes: { 'mesh.seq': minute * spansPerMinute + ++count, ...attributes },
    ...more,
  })
  const peer = () => nodes[Math.floor(random() * nodes.length)]?.peer ?? ''
  const spans = [span('mesh.window', 0, { 'mesh.window.minute': minute }, { spanId: root, parentSpanId: '' })]
  for (let second = 0; second < 60; second += 5) {
    spans.push(
      span('mesh.staleness.pruned', second * 1_000, {
        'mesh.pruned.count': 0,
        'mesh.members.remaining': 9,
        'mesh.members.silent_ms': Math.floor(random() * 2_000),
        'mesh.sweep.window_ms': 30_000,
      }),
    )
    for (let i = 0; i < 4; i++) {
      const id = `${peer()}/${Math.floor(random() * 1e6)}`
      const attributes = {
        'mesh.message.id': id,
        'mesh.origin.peer': peer(),
        'mesh.peer.id': peer(),
        'mesh.message.hops': 1 + Math.floor(random() * 3),
        'mesh.message.late_ms': Math.floor(random() * 50),
        'mesh.message.topic': 'demo/chat',
      }
      spans.push(
        span(i === 0 ? 'mesh.message.published' : 'mesh.message.received', second * 1_000 + i * 900, attributes),
      )
    }
  }
  for (const registry of registries) {
    const size = Math.floor(random() * 20)
    spans.push(
      span(`mesh.audit.${registry}`, 58_000, {
        'mesh.registry': registry,
        'mesh.registry.owner': 'node/kit',
        'mesh.registry.size': size,
        'mesh.registry.capacity': 4_096,
        'mesh.registry.high': size + 3,
        'mesh.registry.oldest_ms': Math.floor(random() * 1e6),
        'mesh.registry.size.band': '8-63',
        'mesh.registry.age.band': '1m-10m',
      }),
    )
  }
  const link = hex(random, 32)
  const linkAttributes = {
    'mesh.link.id': hex(random, 32),
    'mesh.peer.id': peer(),
    'mesh.connection.transport': 'quic',
    'mesh.connection.address': `/ip4/127.0.0.1/udp/${20_000 + Math.floor(random() * 9_000)}/quic-v1`,
  }
  for (const name of ['mesh.connection.opened', 'mesh.hello.received', 'mesh.connection.closed']) {
    spans.push(
      span(name, 59_000, linkAttributes, { traceId: link, parentSpanId: '', links: [{ traceId, spanId: root }] }),
    )
  }
  return spans.sort((a, b) => a.startMs - b.startMs)
}

export function hex(random: Random, digits: number): string {
  let text = ''
  while (text.length < digits)
    text += Math.floor(random() * 0x1_0000)
      .toString(16)
      .padStart(4, '0')
  return text
}

function base58(random: Random, length: number): string {
  const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
  return Array.from({ length }, () => alphabet[Math.floor(random() * 58)]).join('')
}
