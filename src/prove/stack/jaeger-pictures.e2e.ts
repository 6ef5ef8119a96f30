import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { searches, searchUrl } from '../../catalogue/searches.ts'
import type { SpanName } from '../../catalogue/spans.ts'
import { until } from '../../processes/waiting.ts'
import { startStack } from '../../stack/bare.ts'
import { shippedConfigs } from '../../stack/services.ts'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { type LabProcess, startLabProcess } from '../../testing/cluster/command-process.ts'
import { launchBrowser, openPage } from '../../testing/page/browser.ts'
import { TraceReader } from '../../traces/reader.ts'
import type { Trace } from '../../traces/trace.ts'
import { endToEnd } from '../end-to-end.ts'
import { emitterOf, nameOf, spansNamed } from '../evidence.ts'
import { pictures } from '../pictures.ts'
import { type Check, each, equals, type ProofContext, type ProofResult, unrun } from '../proof.ts'
import { jaegerPage, missingPage } from './jaeger-page.ts'
import {
  linksOf,
  menuOf,
  monitorNames,
  openParts,
  openResult,
  openSpan,
  openTrace,
  search,
  valuesOf,
} from './jaeger-steps.ts'
import { withStack } from './on-stack.ts'

const mesh = 'mesh-a'
/** The page as Jaeger's shipped configuration links to it. */
const pageUrl = 'http://127.0.0.1:16680'
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
    const missing = missingPage()
    if (missing === undefined) return withStack(context, () => walkLab(context))
    return Promise.resolve(unrun(context, 'Jaeger’s page and a browser', 'there', missing))
  },
})

async function walkLab({ seed, progress, signal }: ProofContext): Promise<ProofResult> {
  await using stack = await startStack({ env: { jaeger: { JAEGER_UI_ASSETS: jaegerPage() } } })
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
    const { page, complaints } = await openPage(browser, jaeger, { viewport })
    page.setDefaultTimeout(stepLimitMs)
    const picture = async (name: string) => {
      // The pointer is away from every element.
      await page.mouse.move(0, viewport.height - 1)
      await page.waitForTimeout(1_000)
      await save(name, await page.screenshot())
    }
    const tour = { page, jaeger, ...subjects, lab, signal, picture, progress }
    const checks = [...(await walkCampaign(tour)), ...(await walkOpening(tour)), ...(await walkMenu(tour))]
    progress('the Monitor tab, after some minutes of spans')
    await sleep(Math.max(0, fromMs + curvesMs - Date.now()), undefined, { signal })
    checks.push(...(await walkMonitor(tour)))
    const unusual = complaints.filter((text) => !usualNoise.some((usual) => usual.test(text)))
    checks.push(equals('complaints in the console', '', unusual.join(' | ')), sizeCheck())
    return { figures: { pictures: directory, sizes, complaints: [...complaints] }, checks }
  } finally {
    await browser.close()
  }
}

/** Two related traces of the lab, in a browser on Jaeger's page. */
interface Tour extends Subjects {
  readonly page: Page
  /** Jaeger's page, no slash at the end. */
  readonly jaeger: string
  readonly lab: LabProcess
  readonly signal: AbortSignal
  picture(name: string): Promise<void>
  progress(text: string): void
}

const isCampaign = (title: string) => title.startsWith(`${mesh}: mesh.seed.dial`)

/** From a search to a campaign and its last retry; its attributes lead to the page of spans and to other campaigns. */
async function walkCampaign({ page, jaeger, campaign, lab, progress, picture }: Tour): Promise<Check[]> {
  progress('a search, and one of its campaigns')
  const url = searchUrl(mesh, { span: 'mesh.seed.dial' })
  const results = await search(page, `${jaeger}${url}`)
  await picture('search')
  const shown = await openResult(page, campaign.traceId)
  await openSpan(page, 'mesh.seed.retry', -1)
  await openParts(page, 'Tags')
  const attempts = await valuesOf(page, 'mesh.seed.attempt')
  const [target = ''] = Object.values(await linksOf(page, 'mesh.seed.delay_ms'))
  await picture('campaign')
  const threads = await linksOf(page, 'mesh.seed.address')
  progress('a link to another search')
  const thread = Object.values(threads).find((link) => link.startsWith('/search')) ?? ''
  const followed = await search(page, `${jaeger}${thread}`)
  const [address = '', anchor = ''] = target.split('#')
  const spansPage = await (await fetch(`${lab.url}/spans`)).text()
  const retries = spansNamed(campaign.spans, 'mesh.seed.retry').length
  return [
    each('the search finds campaigns', 'all of them', results, isCampaign),
    sameSpans('the campaign', shown, campaign),
    equals('its last retry has its number', String(retries), attempts.join()),
    equals('an attribute leads to the page', `${pageUrl}/spans`, address),
    equals('which explains it', true, anchor !== '' && spansPage.includes(`id="${anchor}"`)),
    equals('an address leads to all its campaigns', true, 'All campaigns for this seed' in threads),
    each('that search finds them', 'all of them', followed, isCampaign),
  ]
}

async function walkOpening({ page, jaeger, birth, progress, picture }: Tour): Promise<Check[]> {
  progress('the opening of its link')
  const shown = await openTrace(page, jaeger, birth.traceId)
  await openSpan(page, 'mesh.connection.opened', 0)
  await openSpan(page, 'mesh.connection.opened', -1)
  // A collapsed line shows the names of nodes.
  await picture('birth')
  await openParts(page, 'Process')
  const ends = await valuesOf(page, 'mesh.node.name')
  const [target] = Object.values(await linksOf(page, 'mesh.node.name'))
  const names = spansNamed(birth.spans, 'mesh.connection.opened').map(nameOf)
  return [
    sameSpans('the opening of the link', shown, birth),
    equals('both nodes are named there', names.sort().join(), [...ends].sort().join()),
    equals('a node leads to the page', `/#/nodes/${ends[0]}`, (target ?? '').replace(pageUrl, '')),
  ]
}

async function walkMenu({ page, jaeger, progress }: Tour): Promise<Check[]> {
  progress('a menu to other searches')
  const menu = await menuOf(page, mesh)
  const retrySearch = searches.find(({ span }) => span === 'mesh.seed.retry')
  const ready = await search(page, `${jaeger}${menu[retrySearch?.label ?? '']}`)
  await page.goto(`${jaeger}${Object.values(menu).find((target) => target.startsWith('/monitor'))}`)
  return [
    equals('searches in the menu', (await shippedMenuLabels()).join(' | '), Object.keys(menu).join(' | ')),
    each('one of them finds campaigns', 'all of them', ready, isCampaign),
  ]
}

async function walkMonitor({ page, jaeger, signal, picture }: Tour): Promise<Check[]> {
  let rates: readonly string[] = []
  const hasRates = async () => {
    rates = await monitorNames(page, jaeger, mesh, 'mesh.staleness')
    if (rates.length === 0) await sleep(reloadMs, undefined, { signal })
    return rates.length > 0
  }
  await until(hasRates, monitorMs, 'the Monitor tab shows sweeps', signal)
  await picture('monitor')
  return [
    equals('the Monitor tab shows rates of sweeps', 'mesh.staleness.pruned', rates.join()),
    equals('it says that there is no data', 0, await page.getByText('No data yet!').count()),
  ]
}

/** The page shows the spans that the trace has, whatever the order. */
function sameSpans(what: string, got: readonly string[], { spans }: Trace): Check {
  const want = spans.map(({ name }) => name).sort()
  return equals(`${what} is shown, span by span`, want.join(' '), [...got].sort().join(' '))
}

/** Labels of the mesh's menu in Jaeger's shipped configuration. */
async function shippedMenuLabels(): Promise<readonly string[]> {
  const { menu } = JSON.parse(await readFile(shippedConfigs.jaegerUi, 'utf8')) as {
    menu: readonly { label: string; items: readonly { label: string }[] }[]
  }
  return menu.find(({ label }) => label === mesh)?.items.map(({ label }) => label) ?? []
}

/** Two related traces: the campaign of a node for a late seed, and the opening of the resulting link. */
interface Subjects {
  /** Retries, then the answer of the seed. */
  readonly campaign: Trace
  /** With spans of both ends. */
  readonly birth: Trace
}

async function waitForSubjects(jaeger: string, fromMs: number, signal: AbortSignal): Promise<Subjects> {
  const reader = new TraceReader(jaeger, { timeoutMs: 30_000 })
  const tracesWith = async (span: SpanName) =>
    (await reader.find({ service: mesh, span, fromMs, toMs: Date.now() + 1_000, limit: 400 })).traces
  const emittersOf = ({ spans }: Trace, name: SpanName) => spansNamed(spans, name).map(emitterOf).sort().join()
  let subjects: Subjects | undefined
  const areComplete = async () => {
    const campaign = (await tracesWith('mesh.seed.connected')).findLast(({ spans }) => {
      return spansNamed(spans, 'mesh.seed.retry').length > 0 && spans.some((span) => nameOf(span) === early)
    })
    const [end] = spansNamed(campaign?.spans ?? [], 'mesh.seed.connected')
    if (campaign === undefined || end === undefined) return false
    const pair = [emitterOf(end), String(end.attributes['mesh.peer.id'])].sort().join()
    const birth = (await tracesWith('mesh.connection.opened')).find((trace) =>
      (['mesh.connection.opened', 'mesh.hello.received'] as const).every((name) => emittersOf(trace, name) === pair),
    )
    subjects = birth && { campaign, birth }
    return birth !== undefined
  }
  const what = 'a campaign with retries that its seed answered, and the opening of its link'
  await until(areComplete, subjectsMs, what, signal)
  return subjects as Subjects
}
