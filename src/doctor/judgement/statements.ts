import type { TraceSpan } from '../../traces/trace.ts'
import type { Evidence } from '../evidence/evidence.ts'
import type { Instance } from '../evidence/instance.ts'
import { currentMs } from './thresholds.ts'

/** More than one interval of the census: a node that is starved of CPU breaks its invariants for a moment. */
const leastMs = 25_000

/** An invariant that a node itself has found broken for a while, and that is not known to be whole again. */
export interface Statement {
  readonly instance: Instance
  readonly invariant: string
  /** Whose fault it is, as the node says. */
  readonly owner: string
  readonly first: TraceSpan
  readonly last: TraceSpan
}

/** The broken invariants of a process, by name and owner. */
export function statementsOf(instance: Instance, invariant: string): readonly Statement[] {
  const spans = instance
    .spans('mesh.leak.suspected')
    .filter(({ startMs, attributes }) => attributes['mesh.invariant'] === invariant && startMs < instance.stopMs)
  const byOwner = Map.groupBy(spans, ({ attributes }) => String(attributes['mesh.invariant.owner']))
  return [...byOwner].flatMap(([owner, all]): Statement[] => {
    const [first, last] = [all[0], all.at(-1)]
    if (first === undefined || last === undefined) return []
    const statement = { instance, invariant, owner, first, last }
    return lastedMs(statement) >= leastMs && isCurrent(statement) ? [statement] : []
  })
}

/** When a census first found it broken. */
export function brokenSinceMs({ first }: Statement): number {
  return first.startMs - numberOf(first, 'mesh.invariant.broken_ms')
}

function lastedMs(statement: Statement): number {
  return statement.last.startMs - brokenSinceMs(statement)
}

function isCurrent({ instance, last }: Statement): boolean {
  return last.startMs >= Math.min(instance.lastMs, instance.stopMs) - currentMs
}

/** 0 if it is absent. */
export function numberOf({ attributes }: TraceSpan, attribute: string): number {
  const value = attributes[attribute]
  return typeof value === 'number' ? value : 0
}

export function textsOf({ attributes }: TraceSpan, attribute: string): readonly string[] {
  const value = attributes[attribute]
  return Array.isArray(value) ? value.map(String) : []
}

/** The process with a peer id that ran last. */
export function processOf({ instances }: Pick<Evidence, 'instances'>, peer: string): Instance | undefined {
  return instances.filter((one) => one.peer === peer && peer !== '').sort((a, b) => b.lastMs - a.lastMs)[0]
}
