import * as z from 'zod'
import type { AlertState } from './judge.ts'
import { queryStack, type StackEndpoint } from './query-stack.ts'

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
  readonly #endpoint: StackEndpoint

  constructor(url: string) {
    this.#endpoint = { what: 'Alertmanager', url, flag: '--alertmanager' }
  }

  /** Throws MESH_STACK_UNREACHABLE. */
  async check(): Promise<void> {
    await queryStack(this.#endpoint, '/api/v2/status', z.object({}))
  }

  /** Labels of all alerts of now that nothing holds back, or of those that are held back. Throws MESH_STACK_UNREACHABLE. */
  async all(which: 'active' | 'suppressed'): Promise<readonly Readonly<Record<string, string>>[]> {
    const alerts = await queryStack(this.#endpoint, '/api/v2/alerts', alertsShape)
    return alerts.filter(({ status }) => status.state === which).map(({ labels }) => labels)
  }

  /**
   * `mesh`: the mesh whose alerts count, since another may ring for reasons of its own; undefined: whatever it is
   * about. Throws MESH_STACK_UNREACHABLE.
   */
  async state(alert: string, mesh: string | undefined): Promise<AlertState> {
    const alerts = await this.#alertsOf(alert, mesh)
    if (alerts.some(({ status }) => status.state === 'active')) return 'firing'
    return alerts.some(({ status }) => status.state === 'suppressed') ? 'suppressed' : 'inactive'
  }
  /** Where the links of those that ring lead, their annotation `traces`: one for each node, or whatever each is about. */
  async links(alert: string, mesh: string | undefined): Promise<readonly string[]> {
    const ringing = (await this.#alertsOf(alert, mesh)).filter(({ status }) => status.state === 'active')
    return ringing.flatMap(({ annotations }) => annotations?.['traces'] ?? [])
  }

  async #alertsOf(alert: string, mesh: string | undefined) {
    const query = new URLSearchParams({ filter: `alertname="${alert}"` })
    const alerts = await queryStack(this.#endpoint, `/api/v2/alerts?${query}`, alertsShape)
    return alerts.filter(
      ({ labels }) => labels['alertname'] === alert && (mesh === undefined || labels['mesh_id'] === mesh),
    )
  }
}
