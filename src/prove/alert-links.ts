import type { DrillResult } from '../drill/result.ts'
import { TraceReader } from '../traces/reader.ts'
import { each } from './checks.ts'
import type { Check } from './proof.ts'

/** Those of a link of Jaeger's search page, which its API has by other names. */
interface Search {
  readonly service: string
  readonly span: string
  readonly attributes: Readonly<Record<string, string>>
}

/** Undefined for one that leads to the search page without a search: the alerts about the pipeline. */
export function searchOf(link: string): Search | undefined {
  const { searchParams: said } = new URL(link)
  const [service, span] = [said.get('service'), said.get('operation')]
  if (service === null || span === null) return undefined
  return { service, span, attributes: JSON.parse(said.get('tags') ?? '{}') as Record<string, string> }
}

/** That each alert that rang has a link, and that it leads to traces wherever it leads to a search. */
export async function linksLead(results: readonly DrillResult[], jaeger: string): Promise<Check> {
  const reader = new TraceReader(jaeger, { timeoutMs: 30_000 })
  const toMs = Date.now() + 60_000
  const followed = []
  for (const { alert, firedAfterMs, traces } of results) {
    if (firedAfterMs === null) continue
    const search = traces === null ? undefined : searchOf(traces)
    const query = search && { ...search, fromMs: toMs - 2 * 86_400_000, toMs, limit: 5 }
    const found = query && (await reader.find(query)).traces.length
    followed.push({ alert, traces, found })
  }
  return each(
    'links of alerts that lead nowhere',
    'none',
    followed,
    ({ traces, found }) => traces !== null && found !== 0,
  )
}
