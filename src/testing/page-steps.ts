import type { Page } from 'playwright-core'
import { TraceReader } from '../traces/reader.ts'
import { until } from './until.ts'

/** When each survivor's expiry was told, and when the page showed it. */
export interface ShownExpiry {
  readonly by: string
  /** Milliseconds from the sweep that expired the node until its row was on the page. */
  readonly lateMs: number
}

export interface ExpiryQuestion {
  readonly url: string
  /** Name of the node that goes. */
  readonly node: string
  /** Expiries to wait for. */
  readonly survivors: number
  readonly services: readonly string[]
  readonly limitMs: number
}

/** Kills a node on the page as its reader would, and watches its page until everybody has expired it. */
export async function killOnPage(page: Page, question: ExpiryQuestion): Promise<readonly ShownExpiry[]> {
  const { url, node, survivors, limitMs } = question
  await page.goto(`${url}/#/nodes`)
  await page.getByRole('table').getByRole('link', { name: node, exact: true }).click()
  await page.getByRole('button', { name: 'Kill' }).click()
  const rows = page.getByRole('region', { name: 'Expired by' }).locator('tbody th')
  const seen = new Map<string, number>()
  const look = async () => {
    for (const by of await rows.allTextContents()) if (!seen.has(by)) seen.set(by, Date.now())
    return seen.size >= survivors
  }
  await until(look, limitMs, `${survivors} survivors have expired ${node}`)
  const told = await shownAt(question)
  return [...seen].map(([by, at]) => ({ by, lateMs: at - (told.get(by) ?? Number.NaN) }))
}

/** Unix milliseconds of each node's `mesh.member.expired` for that node. */
async function shownAt({ url, node, services }: ExpiryQuestion): Promise<Map<string, number>> {
  const reader = new TraceReader(url)
  const span = 'mesh.member.expired'
  const toMs = Date.now() + 1_000
  const attributes = { 'mesh.peer.name': node }
  const found = await Promise.all(
    services.map((service) => reader.find({ service, span, fromMs: toMs - 300_000, toMs, attributes })),
  )
  const spans = found.flatMap(({ traces }) => traces.flatMap((trace) => trace.spans))
  const expiries = spans.filter(({ name, attributes: own }) => name === span && own['mesh.peer.name'] === node)
  return new Map(expiries.map(({ resource, startMs }) => [String(resource['mesh.node.name']), startMs]))
}

/** From the node's page to the trace in which `by` expired it. */
export async function openExpiry(page: Page, by: string): Promise<void> {
  await page.getByRole('region', { name: 'Expired by' }).getByRole('row', { name: by }).getByRole('link').click()
  await page.getByRole('button', { name: /mesh\.member\.expired/, expanded: true }).waitFor()
}
