import * as z from 'zod'
import { type Asked, ask } from './ask.ts'
import type { Look } from './judge.ts'

/** What of an alert is looked at; https://github.com/prometheus/alertmanager, `api/v2/openapi.yaml`. */
const alertsShape = z.array(
  z.object({
    labels: z.record(z.string(), z.string()),
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

  /** Labels of all alerts that ring now and that nothing holds back. Throws MESH_STACK_UNREACHABLE. */
  async ringing(): Promise<readonly Readonly<Record<string, string>>[]> {
    const alerts = await ask(this.#asked, '/api/v2/alerts', alertsShape)
    return alerts.filter(({ status }) => status.state === 'active').map(({ labels }) => labels)
  }

  /**
   * `mesh`: the mesh whose alerts count, since another may ring for reasons of its own; undefined: whatever it is
   * about. Throws MESH_STACK_UNREACHABLE.
   */
  async look(alert: string, mesh: string | undefined): Promise<Look> {
    const query = new URLSearchParams({ filter: `alertname="${alert}"` })
    const alerts = await ask(this.#asked, `/api/v2/alerts?${query}`, alertsShape)
    const own = alerts.filter(
      ({ labels }) => labels['alertname'] === alert && (mesh === undefined || labels['mesh_id'] === mesh),
    )
    if (own.some(({ status }) => status.state === 'active')) return 'rings'
    return own.some(({ status }) => status.state === 'suppressed') ? 'suppressed' : 'silent'
  }
}
