/** What every command's exit says. */
export const exitCodes = {
  ok: 0,
  /** A fault was found, or a stop had to be forced. */
  failure: 1,
  /** Wrong flags, wrong settings. */
  usage: 2,
  /** There was not enough evidence to say anything. */
  inconclusive: 3,
} as const
