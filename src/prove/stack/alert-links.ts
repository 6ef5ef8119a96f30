import type { DrillResult } from '../../drill/result.ts'
import { TraceReader } from '../../traces/reader.ts'
import { each } from '../checks.ts'
import type { Check } from '../proof.ts'

/** The search of a link to Jaeger's search page, in the terms of its API. */
interface Search {
  readonly service: string
  readonly span?: string
  readonly attributes: Readonly<Record<string, string>>
}

/** Undefined for a link without a search, as in the alerts about the pipeline. */
function searchOf(link: string): Search | undefined {
  const { searchParams: parameters } = new URL(link)
  const [service, span] = [parameters.get('service'), parameters.get('operation')]
  if (service === null) return undefined
  return {
    service,
    ...(span !== null && { span }),
    attributes: JSON.parse(parameters.get('tags') ?? '{}') as Record<string, string>,
  }
}

/** Checks that each firing alert has a link without a search, or one whose search finds traces. */
export async function checkAlertLinks(results: readonly DrillResult[], jaeger: string): Promise<Check> {
  const reader = new TraceReader(jaeger, { timeoutMs: 30_000 })
  const fired = results.filter(({ firedAfterMs }) => firedAfterMs !== null)
  const linkResults = await Promise.all(
    fired.map(async ({ alert, traces }) => ({ alert, traces, leads: await hasWorkingLink(reader, traces) })),
  )
  return each('alerts that fired whose links lead nowhere', 'none', linkResults, ({ leads }) => leads)
}

async function hasWorkingLink(reader: TraceReader, links: readonly string[]): Promise<boolean> {
  const toMs = Date.now() + 60_000
  for (const link of links) {
    const search = searchOf(link)
    if (search === undefined) return true
    const { traces } = await reader.find({ ...search, fromMs: toMs - 2 * 86_400_000, toMs, limit: 5 })
    if (traces.length > 0) return true
  }
  return false
}
