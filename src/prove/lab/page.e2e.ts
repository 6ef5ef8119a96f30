import type { Browser, Page } from 'playwright-core'
import { median } from 'simple-statistics'
import { percentile } from '../../bench/statistics.ts'
import type { Paint } from '../../lab/lines.ts'
import type { Colour } from '../../lab/node-log.ts'
import { screen } from '../../lab/screen.ts'
import type { MeshView } from '../../page/mesh-view.ts'
import { pageAssets } from '../../page/serve.ts'
import { until } from '../../processes/waiting.ts'
import { type LabProcess, startLabProcess } from '../../testing/cluster/command-process.ts'
import { chromiumPath, launchBrowser, openPage } from '../../testing/page/browser.ts'
import { mainThread } from '../../testing/page/main-thread.ts'
import { pageMesh } from '../../testing/page/page-mesh.ts'
import { startPageServer } from '../../testing/page/page-server.ts'
import { killOnPage, openExpiry } from '../../testing/page/page-steps.ts'
import { endToEnd } from '../end-to-end.ts'
import { type Pictures, pictures } from '../pictures.ts'
import { atMost, type Check, equals, type ProofContext, type ProofResult, unrun } from '../proof.ts'

/**
 * Milliseconds. A frame may be two frames later than on an empty page: three in a row are a visible stutter. A pause
 * may be 150 longer than the longest of an empty page. When an empty page pauses for more than 100, the machine is
 * busy, and the smoothness of another page cannot be measured. The main thread may be busy for a third of the time.
 */
const limits = {
  build: 3_000,
  firstPaint: 1_000,
  shown: 5_000,
  lateFrame: 34,
  longest: 150,
  emptyLongest: 100,
  busy: 330,
}

const perMesh = 29
const watchedMs = 8_000
/** Time for the page to load and the layout to come to rest. */
const settleMs = 3_000

/** A user sees a longer gap as a pause: the R of RAIL (web.dev/articles/rail). */
const pauseMs = 100

const watch = `new Promise((done) => {
  const gaps = []
  const began = performance.now()
  let last = began
  const frame = (now) => {
    gaps.push(now - last)
    last = now
    if (now - began < ${watchedMs}) requestAnimationFrame(frame)
    else done(gaps.slice(1))
  }
  requestAnimationFrame(frame)
})`

const labLimits = { completeMs: 90_000, expiredMs: 60_000 }
const victim = 'a-compute-2'
const firstPaint = `performance.getEntriesByName('first-contentful-paint')[0]?.startTime`

const size = { columns: 118, rows: 36 }
/** Marks of a colour's start and end: private characters, which no node name may contain. */
const marks: Readonly<Record<Colour, string>> = {
  green: '\ue001',
  yellow: '\ue002',
  red: '\ue003',
  cyan: '\ue004',
  gray: '\ue005',
}
const end = '\ue000'
const style = `body{margin:0;background:#12161d}pre{margin:0;padding:14px 18px;color:#dfe5ee;display:inline-block;
font:13px/1.35 ui-monospace,"DejaVu Sans Mono",monospace}.green{color:#7fd6a0}.yellow{color:#e8b45c}.red{color:#ff8a80}
.cyan{color:#7cc7e8}.gray{color:#8b97a8}`

/** `TRACEMESH_PICTURES=src/page/pictures npm run prove -- page` makes the pictures of the README. */
export const proof = endToEnd({
  name: 'page',
  about:
    'the page of a lab paints within a second, draws 60 nodes without stutter, shows a killed node’s expiry within 5 s and leads to its trace, with nothing in the console',
  quick: false,
  seconds: 160,
  async run(context: ProofContext): Promise<ProofResult> {
    if (chromiumPath === undefined)
      return unrun(context, 'a Chromium on this machine (TRACEMESH_CHROMIUM names one)', 'found', 'none')
    const { progress } = context
    const began = performance.now()
    const assets = await pageAssets()
    const buildMs = performance.now() - began
    const bytes = assets.reduce((sum, { gzipped }) => sum + gzipped.length, 0)
    const { directory, sizes, save, sizeCheck } = pictures()
    const browser = await launchBrowser()
    try {
      progress('60 nodes, of which one dies or returns each second')
      const frames = await watchFrames(browser)
      const lab = await walkLabPage(browser, save, progress)
      const checks = [atMost('building it', limits.build, buildMs, 'ms'), ...frameChecks(frames), ...labChecks(lab)]
      return { figures: { buildMs, bytes, frames, lab, pictures: directory, sizes }, checks: [...checks, sizeCheck()] }
    } finally {
      await browser.close()
    }
  },
})

function frameChecks({ nodes, live, empty, cpuMsPerS, complaints }: Frames): Check[] {
  const late = live.p95 - empty.p95
  const smooth = [
    atMost(`frames of ${nodes} live nodes, 95th percentile, above an empty page’s`, limits.lateFrame, late, 'ms'),
    atMost('the longest pause, above an empty page’s', limits.longest, live.longest - empty.longest, 'ms'),
  ]
  const busy = empty.longest > limits.emptyLongest
  return [
    ...smooth.map((check) => (busy && check.holds === false ? { ...check, holds: 'not shown' as const } : check)),
    atMost('CPU of the main thread meanwhile', limits.busy, cpuMsPerS, 'ms/s'),
    equals('complaints in the console, 60 nodes', '', complaints.join(' | ')),
  ]
}

function labChecks({ firstPaintMs, drawnMs, expiries, traceExplains, complaints, exitCode }: LabPage): Check[] {
  const latest = Math.max(...expiries.map(({ lateMs }) => lateMs))
  return [
    atMost('first paint on the lab, its heading', limits.firstPaint, firstPaintMs, 'ms'),
    atMost('all nodes drawn', 2 * limits.firstPaint, drawnMs, 'ms'),
    atMost('an expiry is on the page', limits.shown, latest, 'ms'),
    equals('the trace of the expiry names the node', true, traceExplains),
    equals('complaints in the console, lab', '', complaints.join(' | ')),
    equals('exit code of the lab', 0, exitCode ?? -1),
  ]
}

type Frames = Awaited<ReturnType<typeof watchFrames>>
type Gaps = Awaited<ReturnType<typeof gapsOf>>
type LabPage = Awaited<ReturnType<typeof walkLabPage>>

/**
 * Measures the frames of a mesh in which each second a node and its links die or come back; and of an empty page, the
 * worse of before and after, as the baseline of the machine.
 */
async function watchFrames(browser: Browser) {
  const complete = pageMesh(perMesh)
  await using server = await startPageServer(complete)
  const before = await emptyGaps(browser, server.url)
  const { page, context, complaints } = await openPage(browser, server.url)
  await page.waitForTimeout(settleMs)
  const cpu = await mainThread(page)
  let second = 0
  const change = setInterval(() => {
    server.view = without(complete, second++)
  }, 1_000)
  const live = await gapsOf(page).finally(() => clearInterval(change))
  const cpuUse = await cpu()
  await context.close()
  const empty = worse(before, await emptyGaps(browser, server.url))
  return { nodes: 2 * perMesh + 2, live, empty, ...cpuUse, complaints }
}

async function emptyGaps(browser: Browser, url: string) {
  const { page, context } = await openPage(browser, `${url}/icon.svg`)
  const gaps = await gapsOf(page)
  await context.close()
  return gaps
}

function worse(one: Gaps, other: Gaps): Gaps {
  const most = (key: keyof Gaps) => Math.max(one[key], other[key])
  const frames = Math.min(one.frames, other.frames)
  return { p50: most('p50'), p95: most('p95'), longest: most('longest'), long: most('long'), frames }
}

/** Milliseconds between frames; `long` counts those longer than 100 ms, which a user sees as a pause. */
async function gapsOf(page: Page) {
  const gaps = (await page.evaluate(watch)) as number[]
  const [p50, p95, longest] = [0.5, 0.95, 1].map((share) => percentile(gaps, share)) as [number, number, number]
  return { p50, p95, longest, long: gaps.filter((gap) => gap > pauseMs).length, frames: gaps.length }
}

function without(view: MeshView, second: number): MeshView {
  const killed = second % 2 === 0 ? view.nodes[second % view.nodes.length] : undefined
  const nodes = view.nodes.map((node) =>
    node === killed ? { ...node, state: 'killed' as const } : { ...node, silentMs: second },
  )
  const links = view.links.filter(({ a, b }) => a !== killed?.id && b !== killed?.id)
  return { ...view, atMs: Date.now(), nodes, links }
}

/** Opens the page of a lab, kills a node there, and follows its expiry to the trace. */
async function walkLabPage(browser: Browser, save: Pictures['save'], progress: ProofContext['progress']) {
  await using lab = await startLabProcess('--for', '10m', '--seed', '7')
  const total = await waitUntilComplete(lab)
  progress(`${total} nodes have complete membership`)
  const opened = [await openAndClose(browser, lab.url, total), await openAndClose(browser, lab.url, total)]
  const last = await openLab(browser, lab.url, total)
  const { page, context, complaints } = last
  await page.waitForTimeout(2_500)
  await save('topology', await page.screenshot())
  await save('terminal', await pictureTerminal(await (await browser.newContext()).newPage(), await lab.view(), lab.url))
  const dark = await openPage(browser, lab.url, { colorScheme: 'dark', viewport: { width: 390, height: 844 } })
  await dark.page.waitForTimeout(2_500)
  await save('phone', await dark.page.screenshot())
  const darkComplaints = [...dark.complaints]
  await dark.context.close()

  progress(`${victim} is killed`)
  const survivors = (await lab.view()).nodes.filter(({ meshes }) => meshes.includes('mesh-a')).length - 1
  const services = ['mesh-a', 'mesh-b']
  const question = { url: lab.url, node: victim, survivors, services, limitMs: labLimits.expiredMs }
  const expiries = await killOnPage(page, question)
  await save('node', await page.screenshot())
  await openExpiry(page, expiries[0]?.by ?? '')
  const details = (await page.locator('.span-details').textContent()) ?? ''
  await page.waitForTimeout(1_500)
  await save('trace', await page.screenshot())
  await page.goto(`${lab.url}/#/boot`)
  await page.waitForTimeout(500)
  await save('boot', await page.screenshot())
  // Complaints after this are expected: pending requests of a closed page fail, and a page without its lab complains.
  const lastComplaints = [...complaints]
  await context.close()
  const exitCode = await lab.stop()
  return {
    nodes: total,
    // Milliseconds from the request until the first paint and until all nodes are drawn.
    firstPaintMs: median([...opened, last].map((one) => one.firstPaintMs)),
    drawnMs: median([...opened, last].map((one) => one.drawnMs)),
    expiries,
    traceExplains: details.includes(victim),
    complaints: [...opened.flatMap((one) => one.complaints), ...lastComplaints, ...darkComplaints],
    exitCode,
  }
}

/** Opens the page with an empty cache, and waits until every node is drawn. */
async function openLab(browser: Browser, url: string, nodes: number) {
  const opened = await openPage(browser, url, { viewport: { width: 1120, height: 660 } })
  await opened.page
    .locator('.graph a.node')
    .nth(nodes - 1)
    .waitFor()
  const drawnMs = Number(await opened.page.evaluate('performance.now()'))
  return { ...opened, drawnMs, firstPaintMs: Number(await opened.page.evaluate(firstPaint)) }
}

/** Opens the page for its figures and its console complaints only. */
async function openAndClose(browser: Browser, url: string, nodes: number) {
  const { context, complaints, firstPaintMs, drawnMs } = await openLab(browser, url, nodes)
  const until = [...complaints]
  await context.close()
  return { firstPaintMs, drawnMs, complaints: until }
}

/** Resolves with the number of nodes once they all run and have all members. */
async function waitUntilComplete(lab: LabProcess): Promise<number> {
  const isComplete = async () => {
    const { nodes, boot } = await lab.view()
    const completeNodes = boot.flatMap(({ what, node }) => (what === 'all members' ? [node] : []))
    return nodes.every(({ name, state }) => state === 'running' && completeNodes.includes(name))
  }
  await until(isComplete, labLimits.completeMs, 'the lab is complete')
  return (await lab.view()).nodes.length
}

/** Draws the current terminal of a lab in its own page, and takes a picture of it. */
async function pictureTerminal(page: Page, view: MeshView, url: string): Promise<Buffer> {
  const paint: Paint = (colour, text) => `${marks[colour]}${text}${end}`
  // The picture uses the colours of the lab's terminal.
  const spans = view.spans.map((span) => ({ colour: 'gray' as const, ...span }))
  const seconds = Math.max(0, ...view.boot.map(({ atMs }) => atMs)) / 1_000
  const selected = view.nodes[0]?.name ?? ''
  const lines = screen({ view, spans, selected, ...size, seconds, page: url, notice: '', help: false, paint })
  await page.setContent(`<style>${style}</style><pre>${html(lines.join('\n'))}</pre>`)
  return page.locator('pre').screenshot()
}

function html(text: string): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  const opened = Object.entries(marks).reduce(
    (all, [colour, mark]) => all.replaceAll(mark, `<span class="${colour}">`),
    escaped,
  )
  return opened.replaceAll(end, '</span>')
}
