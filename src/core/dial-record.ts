/** The dials of one member. Times are monotonic milliseconds. */
export interface DialRecord {
  /** Earliest next dial; while a dial is in progress, when that counts as failed. */
  dialAfter: number
  isDialling: boolean
  /** Start of the last dial. */
  dialledAt: number
  /** Consecutive failures. */
  dialFailures: number
  /** Last answer of this start of the member. */
  answeredAt: number
  /** When a new address or start last allowed an immediate dial, and how often since the last answer. */
  redialAt: number
  redials: number
}

export function newDialRecord(): DialRecord {
  return {
    dialAfter: 0,
    isDialling: false,
    dialledAt: -Infinity,
    dialFailures: 0,
    answeredAt: -Infinity,
    redialAt: -Infinity,
    redials: 0,
  }
}

/**
 * Backoff for a member that announces new addresses or a new start in every digest, until it answers: the addresses may
 * belong to others. Guesses.
 */
const redialIntervalMs = 10_000
const maxRedialIntervalMs = 1_800_000

/** Earlier failures do not apply to new addresses or a new start, and a pending dial uses the old addresses. */
export function allowRedial(record: DialRecord, hasMoved: boolean, now: number): void {
  const sinceMs = now - record.redialAt
  if (sinceMs < Math.min(maxRedialIntervalMs, redialIntervalMs * 2 ** Math.max(0, record.redials - 1))) return
  record.redials = sinceMs < maxRedialIntervalMs ? record.redials + 1 : 1
  record.redialAt = now
  record.dialAfter = now
  record.dialFailures = 0
  if (hasMoved) record.isDialling = false
}
