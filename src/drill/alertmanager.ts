import * as z from 'zod'
import type { AlertState } from './judge.ts'
import { queryStack, type StackEndpoint } from './query-stack.ts'

/** The fields of an alert that a drill uses; https://github.com/prometheus/alertmanager, `api/v2/openapi.yaml`. */
const alertsShape = z.array(
  z.object({
    labels: z.record(z.string(), z.string()),
    annotations: z.record(z.string(), z.string()).optional(),
    status: z.object({ state: z.enum(['unprocessed', 'active', 'suppressed']) }),
  }),
)

/** Client of the Alertmanager API. */
export class Alertmanager {
  readonly #endpoint: StackEndpoint

  constructor(url: string) {
    this.#endpoint = { what: 'Alertmanager', url, flag: '--alertmanager' }
  }

  /** Throws MESH_STACK_UNREACHABLE. */
  async check(): Promise<void> {
    await queryStack(this.#endpoint, '/api/v2/status', z.object({}))
  }

  /** Labels of all active or all suppressed alerts. Throws MESH_STACK_UNREACHABLE. */
  async all(which: 'active' | 'suppressed'): Promise<readonly Readonly<Record<string, string>>[]> {
    const alerts = await queryStack(this.#endpoint, '/api/v2/alerts', alertsShape)
    return alerts.filter(({ status }) => status.state === which).map(({ labels }) => labels)
  }

  /**
   * State of an alert. `mesh`: only alerts of this mesh count, since others may fire on their own; undefined: all
   * count. Throws MESH_STACK_UNREACHABLE.
   */
  async state(alert: string, mesh: string | undefined): Promise<AlertState> {
    const alerts = await this.#alertsOf(alert, mesh)
    if (alerts.some(({ status }) => status.state === 'active')) return 'firing'
    return alerts.some(({ status }) => status.state === 'suppressed') ? 'suppressed' : 'inactive'
  }
  /** The `traces` annotations of the active alerts: one per node, or per subject of the alert. */
  async links(alert: string, mesh: string | undefined): Promise<readonly string[]> {
    const active = (await this.#alertsOf(alert, mesh)).filter(({ status }) => status.state === 'active')
    return active.flatMap(({ annotations }) => annotations?.['traces'] ?? [])
  }

  async #alertsOf(alert: string, mesh: string | undefined) {
    const query = new URLSearchParams({ filter: `alertname="${alert}"` })
    const alerts = await queryStack(this.#endpoint, `/api/v2/alerts?${query}`, alertsShape)
    return alerts.filter(
      ({ labels }) => labels['alertname'] === alert && (mesh === undefined || labels['mesh_id'] === mesh),
    )
  }
}
