import { setTimeout as sleep } from 'node:timers/promises'
import { Alertmanager } from '../drill/alertmanager.ts'

const lookEveryMs = 5_000

/** Notes which alerts ring at an Alertmanager, held back by nothing, until it is disposed of. */
export class AlertWatch implements AsyncDisposable {
  readonly #alertmanager: Alertmanager
  readonly #abort = new AbortController()
  readonly #rang = new Map<string, string>()
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
    return [...this.#rang].flatMap(([name, its]) => (its === about ? [name] : [])).sort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort()
    await this.#watching
  }

  async #watch(): Promise<void> {
    const { signal } = this.#abort
    while (!signal.aborted) {
      // It may be away for a moment; that it answered is counted.
      const ringing = await this.#alertmanager.ringing().catch(() => undefined)
      if (ringing !== undefined) this.#looks++
      for (const { alertname = '', about = '', job, exporter } of ringing ?? [])
        this.#rang.set([alertname, job ?? exporter].filter((part) => part !== undefined).join(' of '), about)
      await sleep(lookEveryMs, undefined, { signal }).catch(() => {})
    }
  }
}
