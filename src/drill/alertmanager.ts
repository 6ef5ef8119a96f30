import * as z from 'zod'
import { type Asked, ask } from './ask.ts'
import type { Look } from './judge.ts'

/** What of an alert is looked at; https://github.com/prometheus/alertmanager, `api/v2/openapi.yaml`. */
const alertsShape = z.array(
  z.object({
    labels: z.record(z.string(), z.string()),
    annotations: z.record(z.string(), z.string()).optional(),
    status: z.object({ state: z.enum(['unprocessed', 'active', 'suppressed']) }),
  }),
)

/** Asks an Alertmanager which alerts ring. */
export class Alertmanager {
  readonly #asked: Asked

  constructor(url: string) {
    this.#asked = { what: 'Alertmanager', url, flag: '--alertmanager' }
  }

  /** Throws MESH_STACK_UNREACHABLE. */
  async check(): Promise<void> {
    await ask(this.#asked, '/api/v2/status', z.object({}))
  }

  /** Labels of all alerts of now that nothing holds back, or of those that are held back. Throws MESH_STACK_UNREACHABLE. */
  async all(which: 'active' | 'suppressed'): Promise<readonly Readonly<Record<string, string>>[]> {
    const alerts = await ask(this.#asked, '/api/v2/alerts', alertsShape)
    return alerts.filter(({ status }) => status.state === which).map(({ labels }) => labels)
  }

  /**
   * `mesh`: the mesh whose alerts count, since another may ring for reasons of its own; undefined: whatever it is
   * about. Throws MESH_STACK_UNREACHABLE.
   */
  async look(alert: string, mesh: string | undefined): Promise<Look> {
    const own = await this.#own(alert, mesh)
    if (own.some(({ status }) => status.state === 'active')) return 'rings'
    return own.some(({ status }) => status.state === 'suppressed') ? 'suppressed' : 'silent'
  }
  /** Where the links of those that ring lead, their annotation `traces`: one for each node, or whatever each is about. */
  async links(alert: string, mesh: string | undefined): Promise<readonly string[]> {
    const ringing = (await this.#own(alert, mesh)).filter(({ status }) => status.state === 'active')
    return ringing.flatMap(({ annotations }) => annotations?.['traces'] ?? [])
  }

  async #own(alert: string, mesh: string | undefined) {
    const query = new URLSearchParams({ filter: `alertname="${alert}"` })
    const alerts = await ask(this.#asked, `/api/v2/alerts?${query}`, alertsShape)
    return alerts.filter(
      ({ labels }) => labels['alertname'] === alert && (mesh === undefined || labels['mesh_id'] === mesh),
    )
  }
}
