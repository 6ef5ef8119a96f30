import type { Page } from 'playwright-core'
import { until } from '../../processes/waiting.ts'
import { TraceReader } from '../../traces/reader.ts'

/** How late the page showed one survivor's expiry of the node. */
export interface ShownExpiry {
  readonly by: string
  /** Milliseconds from the sweep that expired the node until the page had its row. */
  readonly lateMs: number
}

export interface KillOptions {
  readonly url: string
  /** Name of the node to kill. */
  readonly node: string
  /** Expiries to wait for. */
  readonly survivors: number
  readonly services: readonly string[]
  readonly limitMs: number
}

/** Kills a node on the page as a user does, and watches its page until every survivor has expired it. */
export async function killOnPage(page: Page, options: KillOptions): Promise<readonly ShownExpiry[]> {
  const { url, node, survivors, limitMs } = options
  await page.goto(`${url}/#/nodes`)
  await page.getByRole('table').getByRole('link', { name: node, exact: true }).click()
  await page.getByRole('button', { name: 'Kill' }).click()
  const rows = page.getByRole('region', { name: 'Expired by' }).locator('tbody th')
  const rowTimes = new Map<string, number>()
  const poll = async () => {
    for (const by of await rows.allTextContents()) if (!rowTimes.has(by)) rowTimes.set(by, Date.now())
    return rowTimes.size >= survivors
  }
  await until(poll, limitMs, `${survivors} survivors have expired ${node}`)
  const expiredAt = await expiryTimes(options)
  return [...rowTimes].map(([by, at]) => ({ by, lateMs: at - (expiredAt.get(by) ?? Number.NaN) }))
}

/** Unix milliseconds of each node's `mesh.member.expired` for that node. */
async function expiryTimes({ url, node, services }: KillOptions): Promise<Map<string, number>> {
  const reader = new TraceReader(url)
  const span = 'mesh.member.expired'
  const toMs = Date.now() + 1_000
  const attributes = { 'mesh.peer.name': node }
  const results = await Promise.all(
    services.map((service) => reader.find({ service, span, fromMs: toMs - 300_000, toMs, attributes })),
  )
  const spans = results.flatMap(({ traces }) => traces.flatMap((trace) => trace.spans))
  const expiries = spans.filter(({ name, attributes: own }) => name === span && own['mesh.peer.name'] === node)
  return new Map(expiries.map(({ resource, startMs }) => [String(resource['mesh.node.name']), startMs]))
}

/** Goes from the node's page to the trace in which `by` expired it. */
export async function openExpiry(page: Page, by: string): Promise<void> {
  await page.getByRole('region', { name: 'Expired by' }).getByRole('row', { name: by }).getByRole('link').click()
  await page.getByRole('button', { name: /mesh\.member\.expired/, expanded: true }).waitFor()
}
