/** The exit codes of all commands. */
export const exitCodes = {
  ok: 0,
  /** A problem was found, or a stop was forced. */
  failure: 1,
  /** Invalid flags or settings. */
  usage: 2,
  /** Not enough evidence for a verdict. */
  inconclusive: 3,
} as const
