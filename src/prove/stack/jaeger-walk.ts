import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser, Page } from 'playwright-core'
import { searches, searchUrl } from '../../catalogue/searches.ts'
import { openPage } from '../../testing/page/browser.ts'
import { until } from '../../testing/until.ts'
import * as steps from './jaeger-steps.ts'
import type { Subjects } from './jaeger-subjects.ts'

export interface Walk {
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

export type WalkResult = Awaited<ReturnType<typeof walkJaeger>>

interface Tour extends Walk {
  readonly page: Page
  picture(name: string): Promise<void>
}

/** Wide enough for the menus and the tabs beside them. */
const viewport = { width: 1600, height: 1000 }
/** Jaeger reads the complete traces of a search. Milliseconds. */
const stepLimitMs = 30_000
const monitorMs = 180_000
/** Reload interval of the tab, which does not refresh by itself. */
const reloadMs = 10_000

/** From a search to a campaign, to its link, to the rates of all spans; with a picture of each. */
export async function walkJaeger(browser: Browser, walk: Walk) {
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
  const results = await steps.search(page, `${jaeger}${url}`)
  await picture('search')
  const campaign = await steps.openResult(page, subjects.campaign.traceId)
  await steps.openSpan(page, 'mesh.seed.retry', -1)
  await steps.openParts(page, 'Tags')
  const attempts = await steps.valuesOf(page, 'mesh.seed.attempt')
  const docLinks = await steps.linksOf(page, 'mesh.seed.delay_ms')
  await picture('campaign')
  const threads = await steps.linksOf(page, 'mesh.seed.address')
  return { results, campaign, attempts, docLinks, threads }
}

async function walkOpening({ page, jaeger, subjects, progress, picture }: Tour) {
  progress('the opening of its link')
  const birth = await steps.openTrace(page, jaeger, subjects.birth.traceId)
  await steps.openSpan(page, 'mesh.connection.opened', 0)
  await steps.openSpan(page, 'mesh.connection.opened', -1)
  // A collapsed line shows the names of nodes.
  await picture('birth')
  await steps.openParts(page, 'Process')
  const ends = await steps.valuesOf(page, 'mesh.node.name')
  const toPage = await steps.linksOf(page, 'mesh.node.name')
  return { birth, ends, toPage }
}

async function walkMenus({ page, jaeger, mesh, progress }: Tour, threads: Readonly<Record<string, string>>) {
  progress('a link and a menu to other searches')
  const thread = Object.values(threads).find((target) => target.startsWith('/search')) ?? ''
  const followed = await steps.search(page, `${jaeger}${thread}`)
  const menu = await steps.menuOf(page, mesh)
  const retrySearch = searches.find(({ span }) => span === 'mesh.seed.retry')
  const ready = await steps.search(page, `${jaeger}${menu[retrySearch?.label ?? '']}`)
  await page.goto(`${jaeger}${Object.values(menu).find((target) => target.startsWith('/monitor'))}`)
  const kindOfRates = await steps.shownValue(page, '.span-kind-selector')
  return { followed, menu, ready, kindOfRates }
}

async function walkMonitor({ monitorFromMs, signal, ...tour }: Tour) {
  const { page, jaeger, mesh, progress, picture } = tour
  progress('the Monitor tab, after some minutes of spans')
  await sleep(Math.max(0, monitorFromMs - Date.now()), undefined, { signal })
  let rates: readonly string[] = []
  const hasRates = async () => {
    signal.throwIfAborted()
    rates = await steps.monitorNames(page, jaeger, mesh, 'mesh.staleness')
    if (rates.length === 0) await sleep(reloadMs, undefined, { signal })
    return rates.length > 0
  }
  await until(hasRates, monitorMs, 'the Monitor tab shows sweeps')
  await picture('monitor')
  const empty = await page.getByText('No data yet!').count()
  return { rates, empty }
}
