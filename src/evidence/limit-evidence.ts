import { type LimitName, limits } from '../core/limits.ts'
import type { CensusPart } from './census.ts'

/** Lines of `mesh.audit.limits`; the exporter cuts longer lists. */
const maxLines = 32

interface CountedLimits {
  /** Refusals since the start. */
  readonly refusals: { readonly [L in LimitName]?: number }
  /** What the scopes hold: of a scope per peer or address, the fullest. */
  readonly usage: { readonly [L in LimitName]?: number | undefined }
  /** Values in force that a setting changes, each as name=value, `off` for no limit. */
  readonly inForce: readonly string[]
}

/**
 * The limits that refused something, those with most refusals first, then the scopes in use. Connections that the node
 * refuses before their upgrade reach neither the ledger nor libp2p’s tables: only these lines count them.
 */
export function limitEvidence({ refusals, usage, inForce }: CountedLimits): CensusPart {
  const values = new Map(inForce.map((line) => line.split('=', 2) as [string, string]))
  const refused = (name: LimitName) => refusals[name] ?? 0
  const names = (Object.keys(limits) as LimitName[])
    .filter((name) => refused(name) > 0 || (usage[name] ?? 0) > 0)
    .toSorted((one, other) => refused(other) - refused(one))
  const lineOf = (name: LimitName) =>
    `${name} ${refused(name)} ${usage[name] ?? '-'}/${values.get(name) ?? limits[name]}`
  return { attributes: { 'mesh.audit.limits': names.slice(0, maxLines).map(lineOf) } }
}
