import { setTimeout as sleep } from 'node:timers/promises'
import { Alertmanager } from '../../drill/alertmanager.ts'

const lookEveryMs = 5_000

/** Notes which alerts ring at an Alertmanager, and which are held back, until it is disposed of. */
export class AlertWatch implements AsyncDisposable {
  readonly #alertmanager: Alertmanager
  readonly #abort = new AbortController()
  readonly #seen = { active: new Map<string, string>(), suppressed: new Map<string, string>() }
  readonly #watching: Promise<void>
  #looks = 0

  constructor(url: string) {
    this.#alertmanager = new Alertmanager(url)
    this.#watching = this.#watch()
  }

  /** How often it was answered. */
  get looks(): number {
    return this.#looks
  }

  /** Names of those that rang so far, about the mesh or about the way of its spans. */
  rang(about: 'mesh' | 'pipeline'): readonly string[] {
    return alertsAbout(this.#seen.active, about)
  }

  /** Names of those that were held back at some time. */
  heldBack(about: 'mesh' | 'pipeline'): readonly string[] {
    return alertsAbout(this.#seen.suppressed, about)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort()
    await this.#watching
  }

  async #watch(): Promise<void> {
    const { signal } = this.#abort
    while (!signal.aborted) {
      // It may be away for a moment; that it answered is counted.
      const answered = await Promise.all([this.#note('active'), this.#note('suppressed')]).catch(() => undefined)
      if (answered !== undefined) this.#looks++
      await sleep(lookEveryMs, undefined, { signal }).catch(() => {})
    }
  }
  async #note(which: 'active' | 'suppressed'): Promise<void> {
    for (const { alertname = '', about = '', job, exporter } of await this.#alertmanager.all(which))
      this.#seen[which].set([alertname, job ?? exporter].filter((part) => part !== undefined).join(' of '), about)
  }
}

function alertsAbout(seen: ReadonlyMap<string, string>, about: string): readonly string[] {
  return [...seen].flatMap(([name, its]) => (its === about ? [name] : [])).sort()
}
