import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import { watchdog } from '../catalogue/alerts/rules.ts'
import { callsLimit } from '../catalogue/span-counts.ts'
import { MeshError } from '../core/errors.ts'
import type { AlertState } from './judge.ts'

/** A loaded rule; `duration` is its `for`, in seconds; `health` is the result of its last evaluation. */
const ruleShape = z.object({ name: z.string(), duration: z.number(), health: z.string() })
const rulesShape = z.object({ data: z.object({ groups: z.array(z.object({ rules: z.array(ruleShape) })) }) })
const vectorShape = z.object({
  data: z.object({
    result: z.array(z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) })),
  }),
})

export type AlertRule = z.output<typeof ruleShape>

/** Scrapes after which a node counts as known: a rate needs two, and one may precede its first span. */
const scrapes = 3

/** Client of the Prometheus API. All methods throw MESH_STACK_UNREACHABLE. */
export class Prometheus {
  readonly #endpoint: StackEndpoint

  constructor(url: string) {
    this.#endpoint = { what: 'Prometheus', url, flag: '--prometheus' }
  }

  /** The loaded alerting rules. */
  async alertRules(): Promise<readonly AlertRule[]> {
    const { data } = await queryStack(this.#endpoint, '/api/v1/rules?type=alert', rulesShape)
    return data.groups.flatMap(({ rules }) => rules)
  }

  /** Labels of alerts that were firing or pending at any time within the last `seconds`, but MeshWatchdog. */
  async alertsWithin(
    seconds: number,
    state: 'firing' | 'pending',
  ): Promise<readonly Readonly<Record<string, string>>[]> {
    return this.#vector(`max_over_time(ALERTS{alertstate="${state}",alertname!="${watchdog.name}"}[${seconds}s])`)
  }

  /** Scrape targets that were down at any time within the last `seconds`. */
  async downWithin(seconds: number): Promise<readonly Readonly<Record<string, string>>[]> {
    return this.#vector(`min_over_time(up[${seconds}s]) == 0`)
  }

  /** Names of the nodes of a mesh whose census is in several scrapes: by then their other metrics are, too. */
  async knownNodes(mesh: string): Promise<readonly string[]> {
    const censusSpans = `traces_span_metrics_calls_total{mesh_id="${mesh}",span_name="mesh.audit"}`
    const query = `count by (mesh_node_name) (count_over_time(${censusSpans}[10m]) >= ${scrapes})`
    const series = await this.#vector(query)
    return series.flatMap((labels) => labels['mesh_node_name'] ?? [])
  }

  /** Series that the Collector allows a mesh of a counter by node; the default, while Prometheus knows no mesh. */
  async seriesLimit(): Promise<number> {
    const limit = await this.number('max(mesh_series_limit)')
    return Number.isNaN(limit) ? callsLimit : limit
  }

  /** The first value of a query; NaN without a result. */
  async number(query: string): Promise<number> {
    return Number((await this.#samples(query))[0]?.value[1])
  }

  /** Spans of one name that were counted within the last `seconds`, with those of the first scrape of a series. */
  async spansWithin(span: string, seconds: number): Promise<number> {
    const spans = `traces_span_metrics_calls_total{span_name="${span}"}`
    const latest = `max_over_time(${spans}[${seconds}s])`
    const [sum] = await this.#samples(`sum(${latest} - (${spans} offset ${seconds}s or 0 * ${latest}))`)
    return Number(sum?.value[1] ?? 0)
  }

  async #vector(query: string): Promise<readonly Readonly<Record<string, string>>[]> {
    return (await this.#samples(query)).map(({ metric }) => metric)
  }

  async #samples(query: string): Promise<z.output<typeof vectorShape>['data']['result']> {
    const { data } = await queryStack(this.#endpoint, `/api/v1/query?${new URLSearchParams({ query })}`, vectorShape)
    return data.result
  }
}

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

  /** Labels of all active or all suppressed alerts but MeshWatchdog, which always fires. Throws MESH_STACK_UNREACHABLE. */
  async all(which: 'active' | 'suppressed'): Promise<readonly Readonly<Record<string, string>>[]> {
    const alerts = await queryStack(this.#endpoint, '/api/v2/alerts', alertsShape)
    return alerts.flatMap(({ status, labels }) =>
      status.state === which && labels['alertname'] !== watchdog.name ? [labels] : [],
    )
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

/** Timeout of one request, in milliseconds: during compaction Prometheus takes seconds. Guess. */
const answerMs = 10_000
const maxAttempts = 3
const retryMs = 500

/** An HTTP API of the stack. */
interface StackEndpoint {
  /** Name in errors. */
  readonly what: string
  readonly url: string
  /** Flag that sets the URL. */
  readonly flag: string
}

/** Sends a GET request. Throws MESH_STACK_UNREACHABLE after three attempts without an answer of this shape. */
async function queryStack<T>(endpoint: StackEndpoint, path: string, shape: z.ZodType<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await queryOnce(endpoint, path, shape)
    } catch (error) {
      // One failed request must not abort a drill of an hour.
      if (attempt >= maxAttempts) throw error
      await sleep(retryMs)
    }
  }
}

async function queryOnce<T>({ what, url, flag }: StackEndpoint, path: string, shape: z.ZodType<T>): Promise<T> {
  const unreachable = (cause: string) => new MeshError('MESH_STACK_UNREACHABLE', { what, url, cause, flag })
  let answer: Response
  let body: unknown
  try {
    answer = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(answerMs) })
    body = answer.ok ? await answer.json() : await answer.body?.cancel()
  } catch (error) {
    throw unreachable(reason(error))
  }
  if (!answer.ok) throw unreachable(`it answered ${answer.status}`)
  const parsed = shape.safeParse(body)
  if (parsed.success) return parsed.data
  throw unreachable(`unexpected answer: ${z.prettifyError(parsed.error).slice(0, 200)}`)
}

/** The message of `fetch` is only "fetch failed"; the reason is in its cause. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  if (!(cause instanceof Error)) return error.message
  return 'code' in cause ? String(cause.code) : cause.message
}
