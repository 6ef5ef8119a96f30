import type { TraceSpan } from '../../traces/trace.ts'
import type { Evidence } from '../evidence/evidence.ts'
import { type Instance, witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { partOf } from '../judgement/growth.ts'
import { settingsOf } from '../judgement/settings.ts'
import type { Rule } from '../rule.ts'

/**
 * A member that died expires sooner than it is dialled over this time, and after a partition it is reached again. One
 * node alone may have a blocked path.
 */
const [leastFailingMs, failingWindows] = [120_000, 4]
const leastFailures = 4
const leastInRow = 10
const leastDiallers = 2
/** So many nodes and dials suffice in a shorter time: a partition, after which members expire, has less. */
const many = { diallers: 3, failures: 6, ms: 90_000 }
/** At the end of its life a process may have ended already, or its last spans are missing. */
const marginMs = 60_000
/** Longest dial. */
const dialMs = 10_000

/** Other nodes dial a running member in vain, again and again, and nobody reaches it. */
export const unreachableAddress: Rule = {
  name: 'unreachable-address',
  find: (evidence) => evidence.instances.flatMap((target) => findingOf(target, evidence) ?? []),
}

function findingOf(target: Instance, { instances }: Evidence): Finding | undefined {
  if (target.peer === '') return undefined
  const others = instances.filter((one) => one.mesh === target.mesh && one.peer !== target.peer)
  const failed = others.flatMap((dialler) => failedDials(dialler, target)).sort((a, b) => a.startMs - b.startMs)
  const [first, last] = [failed[0], failed.at(-1)]
  if (first === undefined || last === undefined || !isLong(failed, target)) return undefined
  if (failed.length < leastFailures || wasReached(others, target, first.startMs)) return undefined
  const diallers = new Set(failed.map(({ resource }) => resource['mesh.node.name']))
  const { 'mesh.dial.stage': stage, 'error.type': errorType, 'mesh.dial.addresses': addresses } = last.attributes
  const isSure = diallers.size >= leastDiallers
  return {
    disease: 'unreachable-address',
    owner: partOf(target, 'announced addresses'),
    certainty: isSure ? 'likely' : 'insufficient',
    sinceMs: first.startMs,
    summary: `${diallers.size} node${diallers.size > 1 ? 's' : ''} dialled it in vain at ${[addresses ?? 'its addresses'].flat().join(' and ')} (${stage}, ${errorType}), and none reached it since`,
    proof: [...failed.slice(-6), ...target.spans('mesh.address.changed').slice(-1)].map(witnessOf),
    ...(!isSure && { missing: 'a second node that dials it: the path of the first one may be blocked' }),
  }
}

/**
 * Dials in a row wait longer and longer, so many of them took long. A node that dials all others soon after it meets them
 * is dialled in vain a few times by each.
 */
function isLong(failed: readonly TraceSpan[], target: Instance): boolean {
  const [first, last] = [failed[0]?.startMs ?? 0, failed.at(-1)?.startMs ?? 0]
  const inRow = failed.map(({ attributes }) => Number(attributes['mesh.dial.failures'] ?? 1))
  const windowsMs = failingWindows * settingsOf(target).stalenessMs
  if (last - first >= Math.max(leastFailingMs, windowsMs) || Math.max(...inRow) >= leastInRow) return true
  const diallers = new Set(failed.map(({ resource }) => resource['mesh.node.name']))
  const reachesOthers = target
    .spans('mesh.connection.opened')
    .some(({ startMs, attributes }) => startMs > first && attributes['mesh.connection.direction'] === 'outbound')
  return reachesOthers && diallers.size >= many.diallers && failed.length >= many.failures && last - first >= many.ms
}

/** Failed dials of a member in the time in which its process ran. */
function failedDials(dialler: Instance, target: Instance): TraceSpan[] {
  const { peer, firstMs, lastMs } = target
  const sleeps = target.spans('mesh.node.stalled').map(({ startMs, attributes }) => ({
    fromMs: startMs - Number(attributes['mesh.stall.slept_ms']) - dialMs,
    toMs: startMs,
  }))
  return dialler.spans('mesh.member.dial_failed').filter(({ attributes, startMs }) => {
    const isOf = attributes['mesh.peer.id'] === peer && startMs >= firstMs && startMs <= lastMs - marginMs
    return isOf && !sleeps.some(({ fromMs, toMs }) => startMs >= fromMs && startMs <= toMs)
  })
}

/** Whether a node has opened a connection to the member since, as either of the two ends says. */
function wasReached(others: readonly Instance[], target: Instance, sinceMs: number): boolean {
  const peers = others.map(({ peer }) => peer)
  return [target, ...others].some((one) =>
    one.spans('mesh.connection.opened').some(({ startMs, attributes }) => {
      const { 'mesh.peer.id': peer, 'mesh.connection.direction': direction } = attributes
      const isTo = one === target ? peers.includes(String(peer)) : peer === target.peer
      return isTo && direction === (one === target ? 'inbound' : 'outbound') && startMs > sinceMs
    }),
  )
}
