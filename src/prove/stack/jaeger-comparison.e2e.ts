import { setTimeout as sleep } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { registries } from '../../catalogue/registries.ts'
import { until } from '../../processes/waiting.ts'
import { startStack } from '../../stack/bare.ts'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { launchBrowser, openPage } from '../../testing/page/browser.ts'
import { TraceReader } from '../../traces/reader.ts'
import type { Trace } from '../../traces/trace.ts'
import { endToEnd } from '../end-to-end.ts'
import { nameOf, spansNamed } from '../evidence.ts'
import { pictures } from '../pictures.ts'
import { type Check, equals, type ProofContext, type ProofResult, unrun } from '../proof.ts'
import { jaegerPage, missingPage } from './jaeger-page.ts'
import { withStack } from './on-stack.ts'

const mesh = 'mesh-a'
/** Both ends of a pair keep their connections. */
const [node, other] = ['gateway', 'broker']
const fault = ['--fault', 'keep-connections']
/** The minute of a start shows more than a leak, so each node runs for two minutes and some seconds before it is read. */
const windowsMs = 135_000
/** Until a window with suspects has ended and has reached Jaeger. */
const suspectsMs = 120_000
/** Censuses of a complete window. */
const censuses = 2
/** Children that only the window of a sick node has; a census lists the registries that are not empty. */
const expected: readonly string[] = [
  ...registries.map((name) => `mesh.audit.${name}`),
  'mesh.audit.suspect',
  'mesh.leak.suspected',
  'mesh.heap.site',
  'mesh.limit.reached',
]
const viewport = { width: 1600, height: 1000 }
const stepLimitMs = 30_000

export const proof = endToEnd({
  name: 'jaeger-comparison',
  about: 'Jaeger compares a window of a node from before its leak with one after: the suspects are added children',
  quick: false,
  seconds: 400,
  run(context) {
    const missing = missingPage()
    if (missing === undefined) return withStack(context, () => compareWindows(context), ['jaeger'])
    return Promise.resolve(unrun(context, 'Jaeger’s page and a browser', 'there', missing))
  },
})

async function compareWindows({ signal, progress }: ProofContext): Promise<ProofResult> {
  await using stack = await startStack({ services: ['jaeger'], env: { jaeger: { JAEGER_UI_ASSETS: jaegerPage() } } })
  const { jaeger, jaegerOtlp } = stack.urls
  const reader = new TraceReader(jaeger)
  const fromMs = Date.now()
  await using cluster = await startCluster({ receiver: 'none', env: { MESH_OTLP: jaegerOtlp } })
  await cluster.node('seed', { role: 'seed' })
  const start = async (args: readonly string[]) => {
    const options = { seeds: [cluster.address('seed')], keepIdentity: true, args }
    return [await cluster.node(node, { role: 'gateway', ...options }), await cluster.node(other, options)]
  }
  const healthy = await start([])
  progress(`healthy nodes for ${windowsMs / 1_000} s`)
  await sleep(windowsMs, undefined, { signal })
  for (const one of healthy) await one.stop()
  const sickMs = Date.now()
  await start(fault)
  progress(`the same nodes, which keep their connections, for ${windowsMs / 1_000} s`)
  await sleep(windowsMs, undefined, { signal })
  const before = await windowOf(reader, { fromMs, toMs: sickMs }, (suspects) => suspects === 0, signal)
  const after = await windowOf(reader, { fromMs: sickMs }, (suspects) => suspects > 0, signal)
  const { directory, sizes, save, sizeCheck } = pictures()
  const browser = await launchBrowser()
  try {
    const { page } = await openPage(browser, jaeger, { viewport })
    page.setDefaultTimeout(stepLimitMs)
    const added = await openComparison(page, `${jaeger}/trace/${before.traceId}...${after.traceId}`)
    await save('comparison', await page.screenshot())
    return {
      figures: { pictures: directory, sizes, added },
      checks: [...checksOf(before, after, added), sizeCheck()],
    }
  } finally {
    await browser.close()
  }
}

function checksOf(before: Trace, after: Trace, added: readonly string[]): Check[] {
  const others = added.filter((name) => !expected.includes(name))
  return [
    equals('the second window is later', true, startOf(after) > startOf(before)),
    equals('suspects of the window before', 0, suspectsOf(before.spans)),
    equals('suspects of the window after', true, suspectsOf(after.spans) > 0),
    equals('Jaeger shows them as added children', true, added.includes('mesh.audit.suspect')),
    equals('beside them only the broken invariant and what the heap grew by', '', others.join(' ')),
  ]
}

/** A complete window of the node that is not that of its start. */
async function windowOf(
  reader: TraceReader,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs?: number },
  isWanted: (suspects: number) => boolean,
  signal: AbortSignal,
): Promise<Trace> {
  let found: Trace | undefined
  const isThere = async () => {
    const query = { service: mesh, span: 'mesh.audit', fromMs, toMs: toMs ?? Date.now() + 1_000, limit: 400 } as const
    const { traces } = await reader.find(query)
    found = traces.find(({ spans }) => {
      const audits = spansNamed(spans, 'mesh.audit')
      const isOwn = audits.some((span) => nameOf(span) === node)
      const isStart = spansNamed(spans, 'mesh.node.started').length > 0
      return isOwn && !isStart && audits.length === censuses && isWanted(suspectsOf(spans))
    })
    return found !== undefined
  }
  await until(isThere, suspectsMs, `a window of ${node}`, signal)
  return found as Trace
}

function suspectsOf(spans: Trace['spans']): number {
  return spansNamed(spans, 'mesh.audit.suspect').length
}

function startOf({ spans }: Trace): number {
  return Math.min(...spans.map(({ startMs }) => startMs))
}

/** Names of the spans that only the second trace has, as the comparison shows them. */
async function openComparison(page: Page, url: string): Promise<readonly string[]> {
  await page.goto(url)
  await page.locator('.DiffNode').first().waitFor()
  return page.locator('table.DiffNode.is-added tr:last-child .DiffNode--labelCell').allTextContents()
}
