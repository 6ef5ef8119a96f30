import type { Locator, Page } from 'playwright-core'

/** Steps of a user on Jaeger's own page. Each throws when its element does not appear. */

/** Opens a search by its URL; resolves with the title of each result. */
export async function search(page: Page, url: string): Promise<readonly string[]> {
  await page.goto(url)
  await page.locator('.ResultItem').first().waitFor()
  return page.locator('.ResultItemTitle--title').allTextContents()
}

/** Opens one of the results; resolves with the names of its spans, from the top. */
export async function openResult(page: Page, traceId: string): Promise<readonly string[]> {
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

/** Opens one of a trace's spans; `place` counts the spans of that name from 0, or from the end when negative. */
export async function openSpan(page: Page, name: string, place: number): Promise<void> {
  const rows = page.locator('.span-row').filter({ has: page.getByText(name, { exact: true }) })
  await rows.nth(place).locator('.span-name').click()
}

/** Opens that part of every open span. */
export async function openParts(page: Page, part: 'Tags' | 'Process'): Promise<void> {
  const label = page.locator('strong', { hasText: exactly(part) })
  const headers = page.locator('.AccordianKeyValues--header').filter({ has: label })
  await headers.first().waitFor()
  for (const header of await headers.all()) await header.click()
}

/** Values of an attribute, over all spans with open attributes. */
export function valuesOf(page: Page, key: string): Promise<string[]> {
  return attribute(page, key).locator('.json-markup').allTextContents()
}

/** Link targets of the first open value of an attribute. A value with several links opens a menu. */
export async function linksOf(page: Page, key: string): Promise<Readonly<Record<string, string>>> {
  const link = attribute(page, key).first().locator('.KeyValueTable--valueColumn a')
  const target = await link.getAttribute('href')
  if (target !== null) return { [(await link.getAttribute('title')) ?? '']: target }
  await link.click()
  const links = await linksIn(openMenu(page))
  await page.keyboard.press('Escape')
  return links
}

/** Entries of one of the menus at the top, with their targets. */
export async function menuOf(page: Page, label: string): Promise<Readonly<Record<string, string>>> {
  await page.locator('.Dropdown--icon-container', { hasText: exactly(label) }).hover()
  return linksIn(openMenu(page))
}

/** Names that contain `part` in the table of the Monitor tab, for spans of kind internal. */
export async function monitorNames(
  page: Page,
  jaeger: string,
  service: string,
  part: string,
): Promise<readonly string[]> {
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

async function choose(page: Page, select: string, label: string): Promise<void> {
  if ((await enabled(page, select).textContent()) === label) return
  await enabled(page, select).click()
  const options = page.locator('.ant-select-dropdown:not(.ant-select-dropdown-hidden) .ant-select-item-option')
  await options.getByText(label, { exact: true }).click()
  await enabled(page, select).waitFor()
}

/** Selects are disabled while figures load. */
function enabled(page: Page, select: string): Locator {
  return page.locator(`${select}:not(.ant-select-disabled)`)
}

function attribute(page: Page, key: string): Locator {
  const name = page.locator('.KeyValueTable--keyColumn', { hasText: exactly(key) })
  return page.locator('.KeyValueTable--row').filter({ has: name })
}

/** Matches the complete text: some attribute names are prefixes of others. */
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
