import type { Page } from 'playwright-core'
import { until } from '../../processes/waiting.ts'
import { startStack } from '../../stack/bare.ts'
import { startLabProcess } from '../../testing/cluster/command-process.ts'
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
const node = 'a-gateway-1'
/** Both ends keep their connections to each other. */
const sick = [node, 'a-broker-1']
/** Connections become suspects after a grace of a minute; then they are in the window of a node. */
const suspectsMs = 240_000
const viewport = { width: 1600, height: 1000 }
const stepLimitMs = 30_000

export const proof = endToEnd({
  name: 'jaeger-comparison',
  about: 'Jaeger compares a window of a node from before its leak with one after: the suspects are added children',
  quick: false,
  seconds: 240,
  run(context) {
    const missing = missingPage()
    if (missing === undefined) return withStack(context, () => compareWindows(context), ['jaeger'])
    return Promise.resolve(unrun(context, 'Jaeger’s page and a browser', 'there', missing))
  },
})

async function compareWindows({ signal, progress }: ProofContext): Promise<ProofResult> {
  await using stack = await startStack({ services: ['jaeger'], env: { jaeger: { JAEGER_UI_ASSETS: jaegerPage() } } })
  const { jaeger, jaegerOtlp } = stack.urls
  const faults = sick.map((name) => `${name}=keep-connections`).join(',')
  const fromMs = Date.now()
  const flags = ['--nodes', '4', '--meshes', '1', '--fault', faults, '--otlp', jaegerOtlp, '--query', jaeger]
  await using _lab = await startLabProcess(...flags)
  progress('a lab in which two nodes keep their connections')
  const [before, after] = await windowsOf(new TraceReader(jaeger), fromMs, signal)
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
  const suspects = (trace: Trace) => spansNamed(trace.spans, 'mesh.audit.suspect').length
  return [
    equals('suspects of the window before', 0, suspects(before)),
    equals('suspects of the window after', true, suspects(after) > 0),
    equals('Jaeger shows them as added children', true, added.includes('mesh.audit.suspect')),
    equals('Jaeger shows the census as added', false, added.includes('mesh.audit')),
  ]
}

/** The first window of the node with a census, and the latest with suspects. */
async function windowsOf(reader: TraceReader, fromMs: number, signal: AbortSignal): Promise<[Trace, Trace]> {
  const find = async () =>
    (await reader.find({ service: mesh, span: 'mesh.audit', fromMs, toMs: Date.now() + 1_000, limit: 400 })).traces
      .filter(({ spans }) => spansNamed(spans, 'mesh.audit').some((span) => nameOf(span) === node))
      .toSorted((a, b) => startOf(a) - startOf(b))
  const hasSuspects = ({ spans }: Trace) => spansNamed(spans, 'mesh.audit.suspect').length > 0
  let found: [Trace, Trace] | undefined
  const isThere = async () => {
    const windows = await find()
    const [before, after] = [windows.find((one) => !hasSuspects(one)), windows.findLast(hasSuspects)]
    if (before !== undefined && after !== undefined) found = [before, after]
    return found !== undefined
  }
  await until(isThere, suspectsMs, `a window of ${node} with suspects`, signal)
  return found as [Trace, Trace]
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
