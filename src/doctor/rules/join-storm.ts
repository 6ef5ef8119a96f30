import type { TraceSpan } from '../../traces/trace.ts'
import type { Evidence } from '../evidence/evidence.ts'
import { type Instance, witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { partOf } from '../judgement/growth.ts'
import { seedHistories } from '../judgement/seed-history.ts'
import type { Rule } from '../rule.ts'

/** Guess: fewer peers in a minute are a roll-out. */
const leastJoining = 10
const burstMs = 60_000
/** Limits that refuse a peer that joins. */
const joinLimits = ['peers', 'connections', 'connectionsPerAddress', 'inboundRate', 'pendingInbound', 'members']

const connectionSpans = ['mesh.connection.opened', 'mesh.hello.received', 'mesh.goodbye.sent'] as const

/** At least ten nodes start, or connect to a node, within a minute, and a limit of that node refuses some then or soon after. */
export const joinStorm: Rule = {
  name: 'join-storm',
  find: (evidence) => evidence.instances.flatMap((instance) => findingOf(instance, evidence) ?? []),
}

function findingOf(instance: Instance, { instances }: Evidence): Finding | undefined {
  const refusals = instance
    .spans('mesh.limit.reached')
    .filter(({ attributes }) => joinLimits.includes(String(attributes['mesh.limit.name'])))
  const starts = instances
    .filter((one) => one.mesh === instance.mesh && one !== instance && one.countOf('mesh.node.started') > 0)
    .map(({ firstMs }) => firstMs)
  const bursts = [burstOf(starts, refusals), burstOf(arrivals(instance), refusals)].filter((one) => one !== undefined)
  const burst = bursts.toSorted((a, b) => b.joining - a.joining)[0]
  if (burst === undefined) return undefined
  const during = refusals.filter(({ startMs }) => startMs >= burst.fromMs)
  const [first] = during
  const alsoAt = joinedBetween(instance, instances, burst.fromMs)
  return {
    disease: 'join-storm',
    owner: partOf(instance, `limit ${[...new Set(during.map(nameOf))].join(', ')}`),
    certainty: 'certain',
    sinceMs: first?.startMs,
    lastMs: during.at(-1)?.startMs,
    summary: `${burst.joining} peers joined within a minute, and ${during.at(-1)?.attributes['mesh.limit.total']} of their connections were refused at ${first && nameOf(first)} = ${first?.attributes['mesh.limit.value']}`,
    proof: during.slice(0, 8).map(witnessOf),
    ...(alsoAt.length > 0 && { alsoAt }),
  }
}

/** When each peer was first heard of at this node: any of its spans about a connection may be missing. */
function arrivals(instance: Instance): number[] {
  const spans = connectionSpans.flatMap((name) => instance.spans(name))
  const dialled = instance.spans('mesh.connection.opened').filter(isOutbound)
  const own = new Set(dialled.map(({ attributes }) => attributes['mesh.peer.id']))
  const byPeer = Map.groupBy(spans, ({ attributes }) => attributes['mesh.peer.id'])
  return [...byPeer].filter(([peer]) => !own.has(peer)).map(([, all]) => Math.min(...all.map(({ startMs }) => startMs)))
}

/** Other nodes that the storm is of: those that started or reached the node in it, and those that dial it in vain. */
function joinedBetween(instance: Instance, instances: readonly Instance[], fromMs: number): readonly string[] {
  const isIn = (atMs: number) => atMs >= fromMs && atMs - fromMs <= burstMs
  const arrived = connectionSpans
    .flatMap((name) => instance.spans(name))
    .filter(({ startMs }) => isIn(startMs))
    .map(({ attributes }) => attributes['mesh.peer.id'])
  const joining = instances.filter(
    (one) =>
      one.mesh === instance.mesh &&
      one !== instance &&
      ((one.countOf('mesh.node.started') > 0 && isIn(one.firstMs)) ||
        arrived.includes(one.peer) ||
        seedHistories(one).some(({ address, unresolved }) => unresolved.length > 0 && address.endsWith(instance.peer))),
  )
  return [...new Set(joining.map(({ node }) => node))].filter((node) => node !== instance.node).sort()
}

function isOutbound({ attributes }: TraceSpan): boolean {
  return attributes['mesh.connection.direction'] === 'outbound'
}

/** The first minute in which enough of them join and after which a refusal follows soon. */
function burstOf(joins: readonly number[], refusals: readonly TraceSpan[]) {
  const inOrder = joins.toSorted((a, b) => a - b)
  const fromMs = inOrder.find((startMs, index) => {
    const enough = inOrder[index + leastJoining - 1]
    const refusal = refusals.find((one) => one.startMs >= startMs)
    if (enough === undefined || refusal === undefined) return false
    return enough - startMs <= burstMs && refusal.startMs - enough <= burstMs
  })
  if (fromMs === undefined) return undefined
  return { fromMs, joining: inOrder.filter((one) => one >= fromMs && one - fromMs <= burstMs).length }
}

function nameOf({ attributes }: TraceSpan): string {
  return String(attributes['mesh.limit.name'])
}
