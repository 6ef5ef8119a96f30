import type { Witness } from '../../doctor/evidence/instance.ts'
import type { Links } from '../../doctor/report/report.ts'
import { hrefOf } from '../../page/model/text.ts'

/** A page that answers later than that is not linked to, in milliseconds. */
const timeoutMs = 3_000

/** Links into the page at `url`, Jaeger's or that of tracemesh; none if there is no page. `given`: by the user. */
export async function linksTo(url: string, given: boolean, signal: AbortSignal): Promise<Links> {
  const kind = await pageAt(url, signal)
  if (kind === 'tracemesh') return ({ traceId, spanId }) => `${url}/${hrefOf('traces', traceId, { span: spanId })}`
  if (kind === undefined && !given) return noLinks
  return ({ traceId, spanId }) => `${url}/trace/${traceId}?uiFind=${spanId}`
}

export const noLinks: Links = () => undefined

/** Jaeger's comparison of two traces. */
export function comparison(url: string, before: Witness, after: Witness): string {
  return `${url}/trace/${before.traceId}...${after.traceId}`
}

async function pageAt(url: string, signal: AbortSignal): Promise<'jaeger' | 'tracemesh' | undefined> {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    const response = await fetch(`${url}/`, { signal: limit, headers: { accept: 'text/html' } })
    const text = await response.text()
    if (!(response.headers.get('content-type') ?? '').includes('html')) return undefined
    return /jaeger/i.test(text) ? 'jaeger' : /tracemesh/i.test(text) ? 'tracemesh' : undefined
  } catch {
    return undefined
  }
}
