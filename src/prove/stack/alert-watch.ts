import { setTimeout as sleep } from 'node:timers/promises'
import { Alertmanager } from '../../drill/alertmanager.ts'

const pollMs = 5_000

/** Records the active and the inhibited alerts of an Alertmanager until it is disposed of. */
export class AlertWatch implements AsyncDisposable {
  readonly #alertmanager: Alertmanager
  readonly #abort = new AbortController()
  readonly #alerts = { active: new Map<string, string>(), suppressed: new Map<string, string>() }
  readonly #watching: Promise<void>
  #polls = 0

  constructor(url: string) {
    this.#alertmanager = new Alertmanager(url)
    this.#watching = this.#watchAlerts()
  }

  /** Number of answered polls. */
  get polls(): number {
    return this.#polls
  }

  /** Names of the alerts that were active so far, about the mesh or about the pipeline of its spans. */
  fired(about: 'mesh' | 'pipeline'): readonly string[] {
    return alertsAbout(this.#alerts.active, about)
  }

  /** Names of the alerts that were inhibited so far. */
  inhibited(about: 'mesh' | 'pipeline'): readonly string[] {
    return alertsAbout(this.#alerts.suppressed, about)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort()
    await this.#watching
  }

  async #watchAlerts(): Promise<void> {
    const { signal } = this.#abort
    while (!signal.aborted) {
      // Alertmanager may be unreachable for a moment, so answered polls are counted.
      const results = await Promise.all([this.#record('active'), this.#record('suppressed')]).catch(() => undefined)
      if (results !== undefined) this.#polls++
      await sleep(pollMs, undefined, { signal }).catch(() => {})
    }
  }
  async #record(which: 'active' | 'suppressed'): Promise<void> {
    for (const { alertname = '', about = '', job, exporter } of await this.#alertmanager.all(which))
      this.#alerts[which].set([alertname, job ?? exporter].filter((part) => part !== undefined).join(' of '), about)
  }
}

function alertsAbout(alerts: ReadonlyMap<string, string>, about: string): readonly string[] {
  return [...alerts].flatMap(([name, alertAbout]) => (alertAbout === about ? [name] : [])).sort()
}
