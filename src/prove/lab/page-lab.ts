import type { Browser } from 'playwright-core'
import { type LabProcess, startLabProcess } from '../../testing/cluster/lab-process.ts'
import { openPage } from '../../testing/page/browser.ts'
import { killOnPage, openExpiry, type ShownExpiry } from '../../testing/page/page-steps.ts'
import { until } from '../../testing/until.ts'
import { pictureTerminal } from './terminal-picture.ts'

export interface LabPage {
  readonly nodes: number
  /** Milliseconds from the request until the first paint and until all nodes are drawn: medians of three. */
  readonly firstPaintMs: number
  readonly drawnMs: number
  readonly expiries: readonly ShownExpiry[]
  /** Whether the opened trace names the killed node. */
  readonly traceExplains: boolean
  readonly complaints: readonly string[]
  readonly exitCode: number | null
}

const limits = { completeMs: 90_000, expiredMs: 60_000 }
const victim = 'a-compute-2'
const firstPaint = `performance.getEntriesByName('first-contentful-paint')[0]?.startTime`

/** Saves a picture under a name. */
export type Save = (name: string, png: Buffer) => Promise<void>

/** Opens the page of a lab, kills a node there, and follows its expiry to the trace. */
export async function walkLabPage(browser: Browser, save: Save, progress: (text: string) => void): Promise<LabPage> {
  await using lab = await startLabProcess('--for', '10m', '--seed', '7')
  const total = await waitUntilComplete(lab)
  progress(`${total} nodes have complete membership`)
  const opened = [await openAndClose(browser, lab.url, total), await openAndClose(browser, lab.url, total)]
  const last = await openLab(browser, lab.url, total)
  const { page, context, complaints } = last
  const firstPaintMs = median([...opened, last].map((one) => one.firstPaintMs))
  const drawnMs = median([...opened, last].map((one) => one.drawnMs))
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
  const question = { url: lab.url, node: victim, survivors, services, limitMs: limits.expiredMs }
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
  const all = [...opened.flatMap((one) => one.complaints), ...lastComplaints, ...darkComplaints]
  return {
    nodes: total,
    firstPaintMs,
    drawnMs,
    expiries,
    traceExplains: details.includes(victim),
    complaints: all,
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

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** Resolves with the number of nodes once they all run and have all members. */
async function waitUntilComplete(lab: LabProcess): Promise<number> {
  let nodes = 0
  const isComplete = async () => {
    const view = await lab.view()
    nodes = view.nodes.length
    const completeNodes = new Set(view.boot.filter(({ what }) => what === 'all members').map(({ node }) => node))
    return view.nodes.every(({ name, state }) => state === 'running' && completeNodes.has(name))
  }
  await until(isComplete, limits.completeMs, 'the lab is complete')
  return nodes
}
