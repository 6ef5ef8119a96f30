import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startStack } from '../../stack/bare.ts'
import { shippedConfigs } from '../../stack/own-configs.ts'
import { chromiumPath, launchBrowser } from '../../testing/browser.ts'
import { startCluster } from '../../testing/cluster.ts'
import { type LabProcess, startLabProcess } from '../../testing/lab-process.ts'
import { until } from '../../testing/until.ts'
import { TraceReader } from '../../traces/reader.ts'
import { each } from '../checks.ts'
import { pictures } from '../pictures.ts'
import { type Check, equals, type Proof, type ProofContext, type ProofResult } from '../proof.ts'
import { count, nodeOf, type Subjects, subjectsOf } from './jaeger-subjects.ts'
import { type WalkResult, walkJaeger } from './jaeger-walk.ts'
import { withStack } from './needs.ts'

const mesh = 'mesh-a'
/** Beside the lab, whose late seed is not late enough for many retries: attempts that nobody answers take 10 s each. */
const [early, late] = ['a-gateway-9', 'a-seed-9']
const lateMs = 80_000
/** Until the late seed is found, after a wait of at most 30 s. Milliseconds. */
const storyMs = 60_000
/** Span metrics need so long to be curves, in milliseconds. */
const curvesMs = 270_000

/** What Jaeger's page says of itself, wherever it runs. */
const usualNoise: readonly RegExp[] = [
  // Asked for by a page that was left before the answer came.
  /: net::ERR_ABORTED$/,
  // The curves of the Monitor tab are drawn once before there is room for them.
  /^The width\(-1\) and height\(-1\) of chart should be greater than 0/,
]

export const proof: Proof = {
  name: 'jaeger-pictures',
  about:
    'Jaeger’s own page in a real browser: a search, the campaign of a late seed, the birth of a link, the Monitor tab, menus and links',
  quick: false,
  seconds: 330,
  run(context) {
    const lacking = missingPart()
    if (lacking === undefined)
      return withStack(['jaeger', 'otelcol-contrib', 'prometheus', 'alertmanager'], context, () => walkLab(context))
    context.progress(`NOT SHOWN: ${lacking}`)
    const check = { what: 'Jaeger’s page and a browser', want: 'there', got: lacking, holds: 'not shown' } as const
    return Promise.resolve({ figures: { lacking }, checks: [check] })
  },
}

/** Jaeger's Go module carries no page: who wants this shown has one, built from the release that goes with it. */
function assets(): string {
  return process.env['TRACEMESH_JAEGER_UI'] ?? ''
}

function missingPart(): string | undefined {
  if (assets() === '') return 'TRACEMESH_JAEGER_UI names no directory with Jaeger’s page, as built for its release'
  const index = join(resolve(assets()), 'index.html')
  if (!existsSync(index)) return `TRACEMESH_JAEGER_UI is ${assets()}, and there is no ${index}`
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
    signal.throwIfAborted()
    subjects = await subjectsOf(reader, mesh, early, fromMs)
    return subjects !== undefined
  }
  await until(look, storyMs, 'a campaign with retries that its seed answered, and the birth of the link it led to')
  return subjects as Subjects
}

async function checksOf(walked: WalkResult, { campaign, birth }: Subjects, lab: LabProcess): Promise<Check[]> {
  const { found, attempts, documented, threads, followed, menu, ready, said } = walked
  const dialled = (title: string) => title.startsWith(`${mesh}: mesh.seed.dial`)
  const names = birth.spans.filter(({ name }) => name === 'mesh.connection.opened').map(nodeOf)
  const [target = ''] = Object.values(documented)
  const [address, anchor = ''] = target.split('#')
  const explained = await (await fetch(`${lab.url}/spans`)).text()
  const labels = await menuShipped()
  const noise = (text: string) => usualNoise.some((usual) => usual.test(text))
  return [
    each('the search finds campaigns', 'all of them', found, dialled),
    sameSpans('the campaign', walked.campaign, campaign.spans),
    equals('its last retry tells its number', String(count(campaign, 'mesh.seed.retry')), attempts.join()),
    sameSpans('the birth of the link', walked.birth, birth.spans),
    equals('both nodes are named there', names.sort().join(), [...walked.ends].sort().join()),
    equals('a node leads to the page', `/#/nodes/${walked.ends[0]}`, pathOf(Object.values(walked.toPage)[0])),
    equals('an attribute leads to the page', 'http://127.0.0.1:16680/spans', address ?? ''),
    equals('where it is explained', true, anchor !== '' && explained.includes(`id="${anchor}"`)),
    equals('an address leads to all its campaigns', true, 'All campaigns for this seed' in threads),
    each('that search finds them', 'all of them', followed, dialled),
    equals('searches in the menu', labels.join(' | '), Object.keys(menu).join(' | ')),
    each('one of them finds campaigns', 'all of them', ready, dialled),
    equals('the Monitor tab shows rates of sweeps', 'mesh.staleness.pruned', walked.rates.join()),
    equals('it says that there is no data', 0, walked.empty),
    equals('complaints in the console', '', said.filter((text) => !noise(text)).join(' | ')),
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

/** Labels of the mesh's menu in the configuration that Jaeger is given. */
async function menuShipped(): Promise<readonly string[]> {
  const { menu } = JSON.parse(await readFile(shippedConfigs.jaegerUi, 'utf8')) as {
    menu: readonly { label: string; items: readonly { label: string }[] }[]
  }
  return menu.find(({ label }) => label === mesh)?.items.map(({ label }) => label) ?? []
}
