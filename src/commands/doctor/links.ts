import type { Witness } from '../../doctor/evidence/instance.ts'
import type { Links, Question } from '../../doctor/report/report.ts'
import { attributesText, hrefOf } from '../../page/model/text.ts'

/** A page that answers later than that is not linked to, in milliseconds. */
const timeoutMs = 3_000
/** Minutes and traces that the search of tracemesh’s page offers. */
const [minutesBack, minuteMs, limit] = [[5, 15, 60, 360, 1_440, 10_080], 60_000, '100']

/** Addresses within a page for people; undefined for what it does not have. */
export interface PageLinks {
  readonly trace: Links
  readonly search: (question: Question) => string | undefined
  /** A comparison of two traces. */
  readonly compare: (before: Pick<Witness, 'traceId'>, after: Pick<Witness, 'traceId'>) => string | undefined
}

/** Links into the page at `url`, Jaeger's or that of tracemesh; none if there is no page. `given`: by the user. */
export async function linksTo(url: string, given: boolean, signal: AbortSignal): Promise<PageLinks> {
  if (url === '') return noLinks
  const kind = await pageAt(url, signal)
  if (kind === 'tracemesh') return meshPage(url)
  return kind === undefined && !given ? noLinks : jaegerPage(url)
}

export const noLinks: PageLinks = { trace: () => undefined, search: () => undefined, compare: () => undefined }

/** Jaeger’s page. `uiFind` marks the span; times are in microseconds. */
export function jaegerPage(url: string): PageLinks {
  return {
    trace: ({ traceId, spanId }) => `${url}/trace/${traceId}?uiFind=${spanId}`,
    search: ({ mesh, node, span, fromMs, toMs }) => {
      const tags = node === '' ? {} : { tags: JSON.stringify({ 'mesh.node.name': node }) }
      const [start, end] = [Math.floor(fromMs) * 1_000, Math.ceil(toMs) * 1_000].map(String)
      const times = { lookback: 'custom', start: `${start}`, end: `${end}` }
      return `${url}/search?${new URLSearchParams({ service: mesh, operation: span, ...tags, ...times, limit })}`
    },
    compare: (before, after) => `${url}/trace/${before.traceId}...${after.traceId}`,
  }
}

/** The page of a lab or an observer, which searches back from now and compares nothing. */
export function meshPage(url: string, now: () => number = Date.now): PageLinks {
  return {
    trace: ({ traceId, spanId }) => `${url}/${hrefOf('traces', traceId, { span: spanId })}`,
    search: ({ mesh, node, span, fromMs }) => {
      const needed = (now() - fromMs) / minuteMs
      const back = minutesBack.find((minutes) => minutes >= needed) ?? minutesBack.at(-1)
      const attributes = node === '' ? '' : attributesText({ 'mesh.node.name': node })
      return `${url}/${hrefOf('traces', undefined, { service: mesh, span, attributes, back: `${back}`, limit })}`
    },
    compare: () => undefined,
  }
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
