import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser, Page } from 'playwright-core'
import { searches, searchUrl } from '../../catalogue/searches.ts'
import type { SpanName } from '../../catalogue/spans.ts'
import { until } from '../../processes/waiting.ts'
import { startStack } from '../../stack/bare.ts'
import { shippedConfigs } from '../../stack/own-configs.ts'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { type LabProcess, startLabProcess } from '../../testing/cluster/lab-process.ts'
import { chromiumPath, launchBrowser, openPage } from '../../testing/page/browser.ts'
import { TraceReader } from '../../traces/reader.ts'
import type { Trace } from '../../traces/trace.ts'
import { endToEnd } from '../end-to-end.ts'
import { emitterOf, nameOf, spansNamed } from '../evidence.ts'
import { pictures } from '../pictures.ts'
import { type Check, each, equals, type ProofContext, type ProofResult, unrun } from '../proof.ts'
import {
  linksOf,
  menuOf,
  monitorNames,
  openParts,
  openResult,
  openSpan,
  openTrace,
  search,
  shownValue,
  valuesOf,
} from './jaeger-steps.ts'
import { withStack } from './on-stack.ts'

const mesh = 'mesh-a'
/** Nodes beside the lab, whose own late seed causes too few retries: an unanswered attempt takes 10 s. */
const [early, late] = ['a-gateway-9', 'a-seed-9']
const lateMs = 80_000
/** Until the node finds the late seed, after a wait of at most 30 s. Milliseconds. */
const subjectsMs = 60_000
/** Time until span metrics form curves, in milliseconds. */
const curvesMs = 270_000

/** Console messages that Jaeger's page always prints. */
const usualNoise: readonly RegExp[] = [
  // A request of a page that was left before the response.
  /: net::ERR_ABORTED$/,
  // The Monitor tab draws its curves once before its layout.
  /^The width\(-1\) and height\(-1\) of chart should be greater than 0/,
]

/** Wide enough for the menus and the tabs beside them. */
const viewport = { width: 1600, height: 1000 }
/** Jaeger reads the complete traces of a search. Milliseconds. */
const stepLimitMs = 30_000
const monitorMs = 180_000
/** Reload interval of the tab, which does not refresh by itself. */
const reloadMs = 10_000

export const proof = endToEnd({
  name: 'jaeger-pictures',
  about:
    'Jaeger’s own page in a real browser: a search, the campaign of a late seed, the opening of a link, the Monitor tab, menus and links',
  quick: false,
  seconds: 330,
  run(context) {
    const missing = missingPart()
    if (missing === undefined)
      return withStack(['jaeger', 'otelcol-contrib', 'prometheus', 'alertmanager'], context, () => walkLab(context))
    return Promise.resolve(unrun(context, 'Jaeger’s page and a browser', 'there', missing))
  },
})

/** Jaeger's Go module contains no page: TRACEMESH_JAEGER_UI names one, built for its release. */
function assets(): string {
  return process.env['TRACEMESH_JAEGER_UI'] ?? ''
}

function missingPart(): string | undefined {
  if (assets() === '') return 'TRACEMESH_JAEGER_UI names no directory with Jaeger’s page, as built for its release'
  const index = join(resolve(assets()), 'index.html')
  if (!existsSync(index)) return `TRACEMESH_JAEGER_UI is ${assets()}, but ${index} does not exist`
  return chromiumPath === undefined ? 'no Chromium on this machine (TRACEMESH_CHROMIUM names one)' : undefined
}

async function walkLab({ seed, progress, signal }: ProofContext): Promise<ProofResult> {
  await using stack = await startStack({ env: { jaeger: { JAEGER_UI_ASSETS: resolve(assets()) } } })
  const { otlp, jaeger } = stack.urls
  const fromMs = Date.now()
  await using lab = await startLabProcess('--otlp', otlp, '--query', jaeger, '--seed', String(seed), '--for', '15m')
  await using cluster = await startCluster({ receiver: 'none', env: { MESH_OTLP: otlp } })
  await cluster.node(early, { role: 'gateway', seeds: [cluster.address(late)] })
  progress(`a lab, and a node whose seed is ${lateMs / 1_000} s late`)
  await sleep(lateMs, undefined, { signal })
  await cluster.node(late, { role: 'seed' })
  const subjects = await waitForSubjects(jaeger, fromMs, signal)
  const { directory, sizes, save, sizeCheck } = pictures()
  const browser = await launchBrowser()
  try {
    const walk = { jaeger, mesh, subjects, monitorFromMs: fromMs + curvesMs, signal, save, progress }
    const walked = await walkJaeger(browser, walk)
    const checks = [...(await checksOf(walked, subjects, lab)), sizeCheck()]
    return { figures: { pictures: directory, sizes, ...walked }, checks }
  } finally {
    await browser.close()
  }
}

async function waitForSubjects(jaeger: string, fromMs: number, signal: AbortSignal): Promise<Subjects> {
  const reader = new TraceReader(jaeger, { timeoutMs: 30_000 })
  let subjects: Subjects | undefined
  const look = async () => {
    subjects = await subjectsOf(reader, mesh, early, fromMs)
    return subjects !== undefined
  }
  await until(look, subjectsMs, 'a campaign with retries that its seed answered, and the opening of its link', signal)
  return subjects as Subjects
}

async function checksOf(walked: WalkResult, { campaign, birth }: Subjects, lab: LabProcess): Promise<Check[]> {
  const { results, attempts, docLinks, threads, followed, menu, ready, complaints } = walked
  const dialled = (title: string) => title.startsWith(`${mesh}: mesh.seed.dial`)
  const names = spansNamed(birth.spans, 'mesh.connection.opened').map(nameOf)
  const [target = ''] = Object.values(docLinks)
  const [address, anchor = ''] = target.split('#')
  const spansPage = await (await fetch(`${lab.url}/spans`)).text()
  const labels = await shippedMenuLabels()
  const noise = (text: string) => usualNoise.some((usual) => usual.test(text))
  return [
    each('the search finds campaigns', 'all of them', results, dialled),
    sameSpans('the campaign', walked.campaign, campaign.spans),
    equals(
      'its last retry has its number',
      String(spansNamed(campaign.spans, 'mesh.seed.retry').length),
      attempts.join(),
    ),
    sameSpans('the opening of the link', walked.birth, birth.spans),
    equals('both nodes are named there', names.sort().join(), [...walked.ends].sort().join()),
    equals('a node leads to the page', `/#/nodes/${walked.ends[0]}`, pathOf(Object.values(walked.toPage)[0])),
    equals('an attribute leads to the page', 'http://127.0.0.1:16680/spans', address ?? ''),
    equals('which explains it', true, anchor !== '' && spansPage.includes(`id="${anchor}"`)),
    equals('an address leads to all its campaigns', true, 'All campaigns for this seed' in threads),
    each('that search finds them', 'all of them', followed, dialled),
    equals('searches in the menu', labels.join(' | '), Object.keys(menu).join(' | ')),
    each('one of them finds campaigns', 'all of them', ready, dialled),
    equals('the Monitor tab shows rates of sweeps', 'mesh.staleness.pruned', walked.rates.join()),
    equals('it says that there is no data', 0, walked.empty),
    equals('complaints in the console', '', complaints.filter((text) => !noise(text)).join(' | ')),
  ]
}

/** The page shows the spans that the trace has, whatever the order. */
function sameSpans(what: string, got: readonly string[], spans: Subjects['birth']['spans']): Check {
  const want = spans.map(({ name }) => name).sort()
  return equals(`${what} is shown, span by span`, want.join(' '), [...got].sort().join(' '))
}

function pathOf(target: string | undefined): string {
  return (target ?? '').replace(/^http:\/\/127\.0\.0\.1:16680/, '')
}

/** Labels of the mesh's menu in Jaeger's shipped configuration. */
async function shippedMenuLabels(): Promise<readonly string[]> {
  const { menu } = JSON.parse(await readFile(shippedConfigs.jaegerUi, 'utf8')) as {
    menu: readonly { label: string; items: readonly { label: string }[] }[]
  }
  return menu.find(({ label }) => label === mesh)?.items.map(({ label }) => label) ?? []
}

interface Walk {
  /** Jaeger's page, no slash at the end. */
  readonly jaeger: string
  readonly mesh: string
  readonly subjects: Subjects
  /** Start of the look at the Monitor tab, milliseconds since 1970: its curves need some minutes. */
  readonly monitorFromMs: number
  readonly signal: AbortSignal
  save(name: string, png: Buffer): Promise<void>
  progress(text: string): void
}

type WalkResult = Awaited<ReturnType<typeof walkJaeger>>

interface Tour extends Walk {
  readonly page: Page
  picture(name: string): Promise<void>
}

/** From a search to a campaign, to its link, to the rates of all spans; with a picture of each. */
async function walkJaeger(browser: Browser, walk: Walk) {
  const { page, context, complaints } = await openPage(browser, walk.jaeger, { viewport })
  page.setDefaultTimeout(stepLimitMs)
  const picture = async (name: string) => {
    // The pointer is away from every element.
    await page.mouse.move(0, viewport.height - 1)
    await page.waitForTimeout(1_000)
    await walk.save(name, await page.screenshot())
  }
  const tour = { ...walk, page, picture }
  const campaign = await walkCampaign(tour)
  const birth = await walkOpening(tour)
  const menus = await walkMenus(tour, campaign.threads)
  const monitor = await walkMonitor(tour)
  const openComplaints = [...complaints]
  await context.close()
  return { ...campaign, ...birth, ...menus, ...monitor, complaints: openComplaints }
}

async function walkCampaign({ page, jaeger, mesh, subjects, progress, picture }: Tour) {
  progress('a search, and one of its campaigns')
  const url = searchUrl(mesh, { label: 'all campaigns', span: 'mesh.seed.dial' })
  const results = await search(page, `${jaeger}${url}`)
  await picture('search')
  const campaign = await openResult(page, subjects.campaign.traceId)
  await openSpan(page, 'mesh.seed.retry', -1)
  await openParts(page, 'Tags')
  const attempts = await valuesOf(page, 'mesh.seed.attempt')
  const docLinks = await linksOf(page, 'mesh.seed.delay_ms')
  await picture('campaign')
  const threads = await linksOf(page, 'mesh.seed.address')
  return { results, campaign, attempts, docLinks, threads }
}

async function walkOpening({ page, jaeger, subjects, progress, picture }: Tour) {
  progress('the opening of its link')
  const birth = await openTrace(page, jaeger, subjects.birth.traceId)
  await openSpan(page, 'mesh.connection.opened', 0)
  await openSpan(page, 'mesh.connection.opened', -1)
  // A collapsed line shows the names of nodes.
  await picture('birth')
  await openParts(page, 'Process')
  const ends = await valuesOf(page, 'mesh.node.name')
  const toPage = await linksOf(page, 'mesh.node.name')
  return { birth, ends, toPage }
}

async function walkMenus({ page, jaeger, mesh, progress }: Tour, threads: Readonly<Record<string, string>>) {
  progress('a link and a menu to other searches')
  const thread = Object.values(threads).find((target) => target.startsWith('/search')) ?? ''
  const followed = await search(page, `${jaeger}${thread}`)
  const menu = await menuOf(page, mesh)
  const retrySearch = searches.find(({ span }) => span === 'mesh.seed.retry')
  const ready = await search(page, `${jaeger}${menu[retrySearch?.label ?? '']}`)
  await page.goto(`${jaeger}${Object.values(menu).find((target) => target.startsWith('/monitor'))}`)
  const kindOfRates = await shownValue(page, '.span-kind-selector')
  return { followed, menu, ready, kindOfRates }
}

async function walkMonitor({ monitorFromMs, signal, ...tour }: Tour) {
  const { page, jaeger, mesh, progress, picture } = tour
  progress('the Monitor tab, after some minutes of spans')
  await sleep(Math.max(0, monitorFromMs - Date.now()), undefined, { signal })
  let rates: readonly string[] = []
  const hasRates = async () => {
    rates = await monitorNames(page, jaeger, mesh, 'mesh.staleness')
    if (rates.length === 0) await sleep(reloadMs, undefined, { signal })
    return rates.length > 0
  }
  await until(hasRates, monitorMs, 'the Monitor tab shows sweeps', signal)
  await picture('monitor')
  const empty = await page.getByText('No data yet!').count()
  return { rates, empty }
}

/** Two related traces: the campaign of a node for a late seed, and the opening of the resulting link. */
interface Subjects {
  /** Retries, then the answer of the seed. */
  readonly campaign: Trace
  /** With spans of both ends. */
  readonly birth: Trace
}

/** The first campaign of the node of this name in `mesh`. Undefined while either trace is incomplete. */
async function subjectsOf(
  reader: TraceReader,
  mesh: string,
  node: string,
  fromMs: number,
): Promise<Subjects | undefined> {
  const campaign = (await tracesWith(reader, mesh, 'mesh.seed.connected', fromMs)).findLast(
    (trace) =>
      spansNamed(trace.spans, 'mesh.seed.retry').length > 0 && trace.spans.some((span) => nameOf(span) === node),
  )
  const end = campaign?.spans.find(({ name }) => name === 'mesh.seed.connected')
  if (campaign === undefined || end === undefined) return undefined
  const pair = [emitterOf(end), String(end.attributes['mesh.peer.id'])].sort().join()
  const births = await tracesWith(reader, mesh, 'mesh.connection.opened', fromMs)
  const birth = births.find((trace) =>
    (['mesh.connection.opened', 'mesh.hello.received'] as const).every((name) => emittersOf(trace, name) === pair),
  )
  return birth && { campaign, birth }
}

async function tracesWith(reader: TraceReader, service: string, span: SpanName, fromMs: number): Promise<Trace[]> {
  const { traces } = await reader.find({ service, span, fromMs, toMs: Date.now() + 1_000, limit: 400 })
  return [...traces]
}

function emittersOf({ spans }: Trace, name: SpanName): string {
  return spansNamed(spans, name).map(emitterOf).sort().join()
}
