import type { Locator, Page } from 'playwright-core'

/** Steps on Jaeger's own page, each as its reader takes it. All of them throw when what they look for does not come. */

/** Opens a search by its address; resolves with the title of each trace that was found. */
export async function search(page: Page, url: string): Promise<readonly string[]> {
  await page.goto(url)
  await page.locator('.ResultItem').first().waitFor()
  return page.locator('.ResultItemTitle--title').allTextContents()
}

/** From what was found to one of the traces; resolves with the names of its spans, from the top. */
export async function openFound(page: Page, traceId: string): Promise<readonly string[]> {
  await page.locator(`.ResultItem a[href*="${traceId}"]`).first().click()
  return spanNames(page)
}

export async function openTrace(page: Page, jaeger: string, traceId: string): Promise<readonly string[]> {
  await page.goto(`${jaeger}/trace/${traceId}`)
  return spanNames(page)
}

async function spanNames(page: Page): Promise<readonly string[]> {
  await page.locator('.span-row').first().waitFor()
  return page.locator('.span-row .endpoint-name').allTextContents()
}

/** Opens one of a trace's spans, `place` counting those of that name from 0 and from the end when negative. */
export async function openSpan(page: Page, name: string, place: number): Promise<void> {
  const rows = page.locator('.span-row').filter({ has: page.getByText(name, { exact: true }) })
  await rows.nth(place).locator('.span-name').click()
}

/** Opens that part of every span that is open. */
export async function openParts(page: Page, part: 'Tags' | 'Process'): Promise<void> {
  const label = page.locator('strong', { hasText: exactly(part) })
  const headers = page.locator('.AccordianKeyValues--header').filter({ has: label })
  await headers.first().waitFor()
  for (const header of await headers.all()) await header.click()
}

/** Values of an attribute, of every span whose attributes are open. */
export function valuesOf(page: Page, key: string): Promise<string[]> {
  return attribute(page, key).locator('.json-markup').allTextContents()
}

/** Where the value of an attribute leads to; the first that is open. Those that lead to several places open a menu. */
export async function linksOf(page: Page, key: string): Promise<Readonly<Record<string, string>>> {
  const link = attribute(page, key).first().locator('.KeyValueTable--valueColumn a')
  const target = await link.getAttribute('href')
  if (target !== null) return { [(await link.getAttribute('title')) ?? '']: target }
  await link.click()
  const links = await linksIn(openMenu(page))
  await page.keyboard.press('Escape')
  return links
}

/** Entries of one of the menus at the top, with where they lead to. */
export async function menuOf(page: Page, label: string): Promise<Readonly<Record<string, string>>> {
  await page.locator('.Dropdown--icon-container', { hasText: exactly(label) }).hover()
  return linksIn(openMenu(page))
}

/** What the Monitor tab shows of spans of kind internal: names in its table whose name has `part`. */
export async function monitor(page: Page, jaeger: string, service: string, part: string): Promise<readonly string[]> {
  await page.goto(`${jaeger}/monitor`)
  await choose(page, '.select-a-service-input', service)
  await choose(page, '.span-kind-selector', 'Internal')
  await choose(page, '.select-a-timeframe-input', 'Last 5 minutes')
  const filter = page.locator('.select-operation-input input')
  await filter.fill(part)
  const names = await page.locator('.ant-table-row td:first-child').allTextContents()
  await filter.fill('')
  return names
}

/** What a select of the Monitor tab shows. */
export async function chosen(page: Page, select: string): Promise<string> {
  return (await enabled(page, select).textContent()) ?? ''
}

async function choose(page: Page, select: string, label: string): Promise<void> {
  if ((await chosen(page, select)) === label) return
  await enabled(page, select).click()
  const options = page.locator('.ant-select-dropdown:not(.ant-select-dropdown-hidden) .ant-select-item-option')
  await options.getByText(label, { exact: true }).click()
  await enabled(page, select).waitFor()
}

/** Selects are closed to their reader while figures are on their way. */
function enabled(page: Page, select: string): Locator {
  return page.locator(`${select}:not(.ant-select-disabled)`)
}

function attribute(page: Page, key: string): Locator {
  const name = page.locator('.KeyValueTable--keyColumn', { hasText: exactly(key) })
  return page.locator('.KeyValueTable--row').filter({ has: name })
}

/** All of the text, and not a part of it: names of attributes begin with each other. */
function exactly(text: string): RegExp {
  return new RegExp(`^${text.replaceAll('.', '\\.')}:?\\s*$`)
}

function openMenu(page: Page): Locator {
  return page.locator('.ant-dropdown:not(.ant-dropdown-hidden) a')
}

async function linksIn(links: Locator): Promise<Readonly<Record<string, string>>> {
  await links.first().waitFor()
  const all = await links.all()
  const pairs = await Promise.all(all.map(async (link) => [await link.textContent(), await link.getAttribute('href')]))
  return Object.fromEntries(pairs.map(([label, target]) => [(label ?? '').trim(), target ?? '']))
}
