/** Message of the lines in which a process of the zoo says how often it has acted. Standard output is no telemetry. */
export const actsMessage = 'acts'
const everyMs = 500

/** How often something happened that a scene is about. */
export interface ActCount {
  readonly acts: number
  readonly failed: number
  /** The last failure; empty without one. */
  readonly error: string
}

/** Counts acts in a process, and prints the counts when they have changed. */
export class ActCounter {
  #count: ActCount = { acts: 0, failed: 0, error: '' }
  #printed = ''
  readonly #print: (line: string) => void

  constructor(print: (line: string) => void = (line) => void process.stdout.write(line)) {
    this.#print = print
    setInterval(() => this.report(), everyMs).unref()
  }

  get count(): ActCount {
    return this.#count
  }

  add(): void {
    this.#count = { ...this.#count, acts: this.#count.acts + 1 }
  }

  /** Runs an act, which may fail, for example without a connection. */
  async run(act: () => unknown): Promise<void> {
    try {
      if ((await act()) !== false) this.add()
    } catch (error) {
      this.#count = { ...this.#count, failed: this.#count.failed + 1, error: String(error) }
    }
  }

  report(): void {
    const line = `${JSON.stringify({ msg: actsMessage, ...this.#count })}\n`
    if (line !== this.#printed) this.#print(line)
    this.#printed = line
  }
}

/** The last counts in the output of a process. */
export function actCountIn(log: readonly Readonly<Record<string, unknown>>[]): ActCount {
  const { acts = 0, failed = 0, error = '' } = log.findLast(({ msg }) => msg === actsMessage) ?? {}
  return { acts: Number(acts), failed: Number(failed), error: String(error) }
}

/** Acts that a run needs. */
export interface Required {
  /** Whose acts, in words. */
  readonly who: string
  readonly least: number
  readonly count: ActCount
}

/** @throws Error when something that the scene is about did not happen, or too rarely. */
export function checkActs(scene: string, required: readonly Required[]): void {
  const missing = required.filter(({ least, count }) => count.acts < least)
  if (missing.length === 0) return
  const texts = missing.map(({ who, least, count: { acts, failed, error } }) => {
    const why = failed === 0 ? '' : `; ${failed} attempts failed, the last one: ${error}`
    return `${who} acted ${acts} times, and ${least} are needed${why}`
  })
  throw new Error(`nothing to show in ${scene}: ${texts.join('; ')}`)
}
