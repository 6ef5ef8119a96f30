import type { AttributeName } from '../../catalogue/attributes.ts'
import type { SpanEffect } from '../../catalogue/span-effect.ts'
import type { SpanName } from '../../catalogue/spans.ts'
import type { TraceRef } from '../../core/trace.ts'
import { SpanContract } from '../span-contract.ts'
import type { EmittedSpan } from './sim-mesh.ts'

/** What a tree shows of a span: what a reader looks for first. */
const shown: Partial<Readonly<Record<SpanName, readonly AttributeName[]>>> = {
  'mesh.window': ['mesh.window.seq'],
  'mesh.node.stopped': ['mesh.node.stop_cause', 'mesh.stop.held_count'],
  'mesh.node.step': ['mesh.step.name'],
  'mesh.seed.dial': ['mesh.seed.campaign', 'mesh.seed.cause'],
  'mesh.seed.retry': ['mesh.seed.attempt', 'error.type', 'mesh.seed.delay_ms'],
  'mesh.seed.connected': ['mesh.seed.attempt'],
  'mesh.seed.giveup': ['mesh.seed.attempt', 'error.type'],
  'mesh.seed.rearmed': ['mesh.seed.cause'],
  'mesh.connection.opened': ['mesh.connection.direction', 'mesh.connection.transport'],
  'mesh.hello.received': ['mesh.peer.name', 'mesh.peer.role'],
  'mesh.goodbye.sent': ['mesh.goodbye.reason'],
  'mesh.goodbye.received': ['mesh.goodbye.reason'],
  'mesh.connection.closed': ['mesh.close.reason', 'mesh.close.by'],
  'mesh.connection.superseded': ['mesh.link.rule'],
  'mesh.staleness.pruned': ['mesh.pruned.count', 'mesh.pruned.remaining'],
  'mesh.member.dial_failed': ['mesh.peer.name', 'mesh.dial.failures', 'error.type'],
  'mesh.member.joined': ['mesh.peer.name', 'mesh.member.via'],
  'mesh.member.left': ['mesh.peer.name', 'mesh.member.via'],
  'mesh.member.expired': ['mesh.peer.name', 'mesh.member.silence_ms'],
  'mesh.audit': ['mesh.audit.verdict', 'mesh.audit.cause'],
  'mesh.audit.suspect': ['mesh.suspect.reason', 'mesh.suspect.change'],
  'mesh.leak.suspected': ['mesh.invariant', 'mesh.expected', 'mesh.actual'],
  'mesh.message.published': ['mesh.message.topic', 'mesh.message.recipients'],
  'mesh.message.received': ['mesh.message.topic', 'mesh.message.hops'],
  'mesh.bridge.forwarded': ['mesh.bridge.from', 'mesh.bridge.to'],
  'mesh.request.sent': ['mesh.request.topic', 'mesh.response.bytes'],
  'mesh.request.handled': ['mesh.request.topic', 'mesh.response.bytes'],
  'mesh.resource.exhausted': ['mesh.resource.name', 'mesh.resource.operation'],
  'mesh.resource.recovered': ['mesh.resource.name', 'mesh.resource.failures'],
}

/** Attributes of the spans of a registry. */
const ofRegistry: readonly AttributeName[] = ['mesh.registry.size', 'mesh.registry.capacity']

/** From this many equal siblings on, one line stands for all. */
const manySiblings = 3

interface Tree {
  readonly span: EmittedSpan
  readonly children: readonly Tree[]
}

/** An effect of a production class as a simulated node emits it. Throws when it is not as declared. */
export function emittedBy(node: string, at: number, effect: SpanEffect): EmittedSpan {
  const { span, attributes, ref, parent, links = [], since } = effect
  const emitted = { node, at, span, attributes: { ...attributes }, ref, parent, links, since }
  const problems = new SpanContract().check(emitted)
  if (problems.length > 0) throw new Error(problems.join('; '))
  return emitted
}

/** Draws the trace of `root`: a line per span, or per run of equal ones. */
export function drawTrace(spans: readonly EmittedSpan[], root: EmittedSpan): string[] {
  const nameOf = (id: string) => spans.find(({ ref }) => ref?.spanId === id)?.span ?? 'a span of the application'
  const tree = treeOf(root, spans)
  const originMs = root.since ?? root.at
  const line = (span: EmittedSpan, count: number) => lineOf(span, count, originMs, nameOf)
  return [line(root, 1), ...branches(tree.children, '', line)]
}

function treeOf(span: EmittedSpan, spans: readonly EmittedSpan[]): Tree {
  const own = span.ref?.spanId
  const children = own === undefined ? [] : spans.filter((one) => one !== span && isChildOf(one, own))
  const inOrder = children.toSorted((a, b) => (a.since ?? a.at) - (b.since ?? b.at))
  return { span, children: inOrder.map((child) => treeOf(child, spans)) }
}

function isChildOf({ parent }: { readonly parent: TraceRef | null | undefined }, id: string): boolean {
  return parent?.spanId === id
}

type Line = (span: EmittedSpan, count: number) => string

function branches(trees: readonly Tree[], indent: string, line: Line): string[] {
  const runs = runsOf(trees)
  return runs.flatMap(([first, ...others], index) => {
    if (first === undefined) return []
    const isLast = index === runs.length - 1
    const own = `${indent}${isLast ? '└─ ' : '├─ '}${line(first.span, 1 + others.length)}`
    return [own, ...branches(first.children, `${indent}${isLast ? '   ' : '│  '}`, line)]
  })
}

/** Groups leaves of one name and one node that follow each other, if they are many. */
function runsOf(trees: readonly Tree[]): readonly (readonly Tree[])[] {
  const runs: Tree[][] = []
  for (const tree of trees) {
    const run = runs.at(-1)
    if (run?.[0] !== undefined && areAlike(run[0], tree)) run.push(tree)
    else runs.push([tree])
  }
  return runs.flatMap((run) => (run.length >= manySiblings ? [run] : run.map((tree) => [tree])))
}

function areAlike(one: Tree, other: Tree): boolean {
  const isLeaf = one.children.length + other.children.length === 0
  return isLeaf && one.span.span === other.span.span && one.span.node === other.span.node
}

function lineOf(span: EmittedSpan, count: number, originMs: number, nameOf: (id: string) => string): string {
  const { since, at, node, links } = span
  const offset = `+${timeText((since ?? at) - originMs)}`
  const time = since === undefined ? offset : `${offset}, ${timeText(at - since)}`
  const names = shown[span.span] ?? (span.span.startsWith('mesh.audit.') ? ofRegistry : [])
  const values = names.flatMap((name) => {
    const value = span.attributes[name]
    return value === undefined ? [] : [`${name}=${value}`]
  })
  const times = count === 1 ? [] : [`×${count}`]
  const targets = links.map(({ spanId }) => `→ ${nameOf(spanId)}`)
  return [`${span.span}  ${node}  ${time}`, ...times, ...values, ...targets].join('  ')
}

function timeText(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Math.round(ms) / 1_000} s`
}
