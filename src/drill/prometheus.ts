import * as z from 'zod'
import { type Asked, ask } from './ask.ts'

/** A rule as it is loaded; `duration` is its `for`, in seconds. */
const ruleShape = z.object({ name: z.string(), duration: z.number() })
const rulesShape = z.object({ data: z.object({ groups: z.array(z.object({ rules: z.array(ruleShape) })) }) })
const vectorShape = z.object({
  data: z.object({ result: z.array(z.object({ metric: z.record(z.string(), z.string()) })) }),
})

export type AlertRule = z.output<typeof ruleShape>

/** Scrapes after which a node counts as known: a rate needs two, and one may be of the second before its first span. */
const scrapes = 3

/** Asks a Prometheus what it has. All throw MESH_STACK_UNREACHABLE. */
export class Prometheus {
  readonly #asked: Asked

  constructor(url: string) {
    this.#asked = { what: 'Prometheus', url, flag: '--prometheus' }
  }

  /** The alerting rules that it evaluates. */
  async alertRules(): Promise<readonly AlertRule[]> {
    const { data } = await ask(this.#asked, '/api/v1/rules?type=alert', rulesShape)
    return data.groups.flatMap(({ rules }) => rules)
  }

  /** Names of the nodes of a mesh whose census it has seen in several scrapes: by then it has all else of them, too. */
  async knownNodes(mesh: string): Promise<readonly string[]> {
    const series = `traces_span_metrics_calls_total{mesh_id="${mesh}",span_name="mesh.audit"}`
    const query = `count by (mesh_node_name) (count_over_time(${series}[10m]) >= ${scrapes})`
    const { data } = await ask(this.#asked, `/api/v1/query?${new URLSearchParams({ query })}`, vectorShape)
    return data.result.flatMap(({ metric }) => metric['mesh_node_name'] ?? [])
  }
}
