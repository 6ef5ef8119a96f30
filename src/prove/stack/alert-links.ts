import type { DrillResult } from '../../drill/result.ts'
import { TraceReader } from '../../traces/reader.ts'
import { each } from '../checks.ts'
import type { Check } from '../proof.ts'

/** Those of a link of Jaeger's search page, which its API has by other names. */
interface Search {
  readonly service: string
  readonly span?: string
  readonly attributes: Readonly<Record<string, string>>
}

/** Undefined for one that leads to the search page without a search: the alerts about the pipeline. */
function searchOf(link: string): Search | undefined {
  const { searchParams: said } = new URL(link)
  const [service, span] = [said.get('service'), said.get('operation')]
  if (service === null) return undefined
  return {
    service,
    ...(span !== null && { span }),
    attributes: JSON.parse(said.get('tags') ?? '{}') as Record<string, string>,
  }
}

/** That each alert that rang has a link, and that one of them leads to traces wherever they lead to a search. */
export async function checkAlertLinks(results: readonly DrillResult[], jaeger: string): Promise<Check> {
  const reader = new TraceReader(jaeger, { timeoutMs: 30_000 })
  const rang = results.filter(({ firedAfterMs }) => firedAfterMs !== null)
  const followed = await Promise.all(
    rang.map(async ({ alert, traces }) => ({ alert, traces, leads: await someLeads(reader, traces) })),
  )
  return each('alerts that rang whose links lead nowhere', 'none', followed, ({ leads }) => leads)
}

async function someLeads(reader: TraceReader, links: readonly string[]): Promise<boolean> {
  const toMs = Date.now() + 60_000
  for (const link of links) {
    const search = searchOf(link)
    if (search === undefined) return true
    const { traces } = await reader.find({ ...search, fromMs: toMs - 2 * 86_400_000, toMs, limit: 5 })
    if (traces.length > 0) return true
  }
  return false
}
