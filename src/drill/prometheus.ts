import * as z from 'zod'
import { queryStack, type StackEndpoint } from './query-stack.ts'

/** A loaded rule; `duration` is its `for`, in seconds; `health` is the result of its last evaluation. */
const ruleShape = z.object({ name: z.string(), duration: z.number(), health: z.string() })
const rulesShape = z.object({ data: z.object({ groups: z.array(z.object({ rules: z.array(ruleShape) })) }) })
const vectorShape = z.object({
  data: z.object({ result: z.array(z.object({ metric: z.record(z.string(), z.string()) })) }),
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

  /** Labels of alerts that were firing or pending at any time within the last `seconds`. */
  async alertsWithin(
    seconds: number,
    state: 'firing' | 'pending',
  ): Promise<readonly Readonly<Record<string, string>>[]> {
    return this.#vector(`max_over_time(ALERTS{alertstate="${state}"}[${seconds}s])`)
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

  async #vector(query: string): Promise<readonly Readonly<Record<string, string>>[]> {
    const { data } = await queryStack(this.#endpoint, `/api/v1/query?${new URLSearchParams({ query })}`, vectorShape)
    return data.result.map(({ metric }) => metric)
  }
}
