import { backoffPolicy } from '../core/backoff.ts'
import type { SeedView } from '../core/seed-dialler.ts'
import type { CensusPart } from './census.ts'

/** State of every seed, also of one that is this node itself. */
export function seedEvidence(seeds: readonly SeedView[], now: number): CensusPart {
  return { attributes: { 'mesh.audit.seeds': seeds.map((seed) => lineOf(seed, now)) } }
}

function lineOf({ address, state, campaign, attempt, nextAt }: SeedView, now: number): string {
  const nextMs = nextAt === undefined || state === 'self' ? '-' : Math.max(0, Math.round(nextAt - now))
  return `${address} ${state} ${campaign} ${attempt}/${backoffPolicy.attempts} ${nextMs}`
}
