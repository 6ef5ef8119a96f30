import type { Browser, Page } from 'playwright-core'
import type { MeshView } from '../../page/mesh-view.ts'
import { openPage } from '../../testing/page/browser.ts'
import { pageMesh } from '../../testing/page/page-mesh.ts'
import { startPageServer } from '../../testing/page/page-server.ts'

/** Milliseconds between frames. */
export interface Gaps {
  readonly p50: number
  readonly p95: number
  readonly longest: number
  /** Number of gaps longer than 100 ms, which a user sees as a pause. */
  readonly long: number
  readonly frames: number
}

export interface Frames {
  readonly nodes: number
  /** With 60 live nodes; and of an empty page, the worse of before and after, as the baseline of the machine. */
  readonly live: Gaps
  readonly empty: Gaps
  /** CPU of the page's main thread, in milliseconds per second: all tasks, and scripts only. */
  readonly cpuMsPerS: number
  readonly scriptMsPerS: number
  readonly complaints: readonly string[]
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

/** Measures the frames of a mesh in which each second a node and its links die or come back. */
export async function watchFrames(browser: Browser): Promise<Frames> {
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

async function emptyGaps(browser: Browser, url: string): Promise<Gaps> {
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

async function gapsOf(page: Page): Promise<Gaps> {
  const gaps = (await page.evaluate(watch)) as number[]
  const sorted = gaps.toSorted((a, b) => a - b)
  const at = (part: number) => sorted[Math.floor(part * (sorted.length - 1))] ?? Number.NaN
  const long = gaps.filter((gap) => gap > pauseMs).length
  return { p50: at(0.5), p95: at(0.95), longest: at(1), long, frames: gaps.length }
}

/** Starts counting the CPU time of a page's main thread; the returned function returns the count. */
async function mainThread(page: Page): Promise<() => Promise<Pick<Frames, 'cpuMsPerS' | 'scriptMsPerS'>>> {
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  const sample = async () => {
    const { metrics } = await session.send('Performance.getMetrics')
    const seconds = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? Number.NaN
    return { task: seconds('TaskDuration'), script: seconds('ScriptDuration'), at: performance.now() }
  }
  const before = await sample()
  return async () => {
    const after = await sample()
    const perS = (seconds: number) => (seconds * 1_000_000) / (after.at - before.at)
    return { cpuMsPerS: perS(after.task - before.task), scriptMsPerS: perS(after.script - before.script) }
  }
}

function without(view: MeshView, second: number): MeshView {
  const killed = second % 2 === 0 ? view.nodes[second % view.nodes.length] : undefined
  const nodes = view.nodes.map((node) =>
    node === killed ? { ...node, state: 'killed' as const } : { ...node, silentMs: second },
  )
  const links = view.links.filter(({ a, b }) => a !== killed?.id && b !== killed?.id)
  return { ...view, atMs: Date.now(), nodes, links }
}
