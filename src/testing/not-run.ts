/** Prints that a check did not run: that is no failure, and must not look like a success. */
export function notRun(what: string, why: string): void {
  process.stderr.write(`NOT RUN: ${what}, because ${why}\n`)
}
