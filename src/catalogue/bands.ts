/** Fixed strings for search and metric labels; spans also carry the exact numbers. */
export const sizeBands = ['0', '1-7', '8-63', '64-511', '512-4095', '4096+'] as const
export const ageBands = ['<1m', '1m-10m', '10m-1h', '1h-6h', '6h-1d', '1d-7d', '7d+'] as const

/** Reasons for closing a link. */
export const closeReasons = [
  'stopping',
  'superseded',
  'silent',
  'foreign-mesh',
  'bad-frame',
  'flooding',
  'limit',
  'duplicate',
  'gossip-mute',
  'wedged',
  'not-admitted',
  'transport',
  'unknown',
] as const

/** Reasons for refusing a connection. */
export const refusalReasons = ['limit', 'links-per-peer', 'duplicate', 'stopping', 'flooding', 'bad-frame'] as const

/** Why a peer, or what it says, is not admitted to a closed mesh. */
export const credentialCauses = [
  'missing',
  'malformed',
  'unknown-authority',
  'bad-signature',
  'other-peer',
  'other-mesh',
  'too-early',
  'expired',
  'revoked',
  'role',
] as const

type SizeBand = (typeof sizeBands)[number]
type AgeBand = (typeof ageBands)[number]

const sizeFrom = [0, 1, 8, 64, 512, 4_096]
const minute = 60_000
const ageFromMs = [0, minute, 10 * minute, 60 * minute, 360 * minute, 1_440 * minute, 10_080 * minute]

export function sizeBand(count: number): SizeBand {
  return band(sizeBands, sizeFrom, count)
}

/** `ms` is an age in milliseconds. */
export function ageBand(ms: number): AgeBand {
  return band(ageBands, ageFromMs, ms)
}

function band<B extends string>(names: readonly B[], from: readonly number[], value: number): B {
  const index = from.findLastIndex((lowest) => value >= lowest)
  return names[Math.max(0, index)] as B
}
