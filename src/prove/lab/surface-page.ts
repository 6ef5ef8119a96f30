import type { Browser, Page } from 'playwright-core'
import { until } from '../../processes/waiting.ts'
import { type LabProcess, startLabProcess } from '../../testing/cluster/command-process.ts'
import { childrenOf, commandOf } from '../../testing/cluster/process-tree.ts'
import { axeViolations } from '../../testing/page/axe.ts'
import { openPage } from '../../testing/page/browser.ts'
import { mainThread } from '../../testing/page/main-thread.ts'
import { atLeast, atMost, type Check, equals, type ProofContext } from '../proof.ts'

const bootMs = 120_000
const watchedMs = 12_000
/** Of one tab; ten minutes at most 1 MB. */
const tab = { watchedMs: 60_000, mostBytes: 1_000_000, ofMs: 600_000 }

/** Walks the page of a lab of 18 nodes, or of these flags, as an operator does, with its faults. */
export async function walkPage(
  browser: Browser,
  { progress }: Pick<ProofContext, 'progress'>,
  flags: readonly string[] = [],
) {
  await using lab = await startLabProcess('--for', '15m', '--seed', '7', ...flags)
  await until(async () => isComplete(lab), bootMs, 'the lab is complete')
  const victim = (await lab.view()).nodes.find(({ role }) => role !== 'seed')?.name ?? ''
  progress('the lab is complete')
  const { page, context } = await openPage(browser, `${lab.url}/`, { timezoneId: 'Asia/Kathmandu' })
  const checks: Check[] = []
  const step = async (name: string, run: () => Promise<readonly Check[]>) => {
    progress(name)
    checks.push(...(await run()))
  }
  await step('bytes of a tab', () => weighTab(page))
  await step('traces by their digits', () => openTraces(page, lab))
  await step('a search', () => search(page, lab))
  await step('times', () => times(browser, page, lab))
  await step('live rows below the pointer', () => hoverRows(page, lab))
  await step('a kill', () => killNode(page, lab, victim))
  await step('axe', () => axe(page, lab, victim))
  await step('the store dies', () => loseStore(page, lab))
  await step('the server hangs, then ends', () => loseServer(page, lab, victim))
  await context.close()
  return checks
}

async function isComplete(lab: LabProcess): Promise<boolean> {
  const { nodes, boot } = await lab.view()
  return boot.filter(({ what }) => what === 'all members').length >= nodes.length
}

async function weighTab(page: Page): Promise<Check[]> {
  const session = await page.context().newCDPSession(page)
  await session.send('Network.enable')
  const urls = new Map<string, string>()
  let bytes = 0
  session.on('Network.requestWillBeSent', ({ requestId, request }) => urls.set(requestId, request.url))
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    if (urls.get(requestId)?.includes('/api/mesh')) bytes += encodedDataLength
  })
  await page.waitForTimeout(tab.watchedMs)
  await session.detach()
  const perTenMinutes = (bytes / tab.watchedMs) * tab.ofMs
  return [
    atLeast('requests for /api/mesh were seen, bytes', 1, bytes),
    atMost('bytes of /api/mesh per tab in ten minutes', tab.mostBytes, Math.round(perTenMinutes)),
  ]
}

/** A trace of the live spans, by its digits in the box and in the address. */
async function openTraces(page: Page, lab: LabProcess): Promise<Check[]> {
  const { spans } = await lab.view()
  const id = spans.findLast(({ trace }) => trace !== '')?.trace ?? ''
  const shown = page.locator('h2 code.id', { hasText: id })
  const row = page.locator('.waterfall li').first()
  const opens = async (open: () => Promise<unknown>) => {
    await page.goto(`${lab.url}/#/traces`)
    await open()
    await Promise.all([shown.waitFor(), row.waitFor()])
    return true
  }
  const type = (digits: string) => async () => {
    await page.getByLabel('Trace id').fill(digits)
    await page.getByRole('button', { name: 'Open' }).click()
  }
  const ways = [
    await opens(type(id.slice(0, 8))),
    await opens(type(id)),
    await opens(() => page.goto(`${lab.url}/#/traces/${id.slice(0, 8)}`)),
    await opens(() => page.goto(`${lab.url}/#/traces/${id}`)),
  ]
  return [equals('a trace opens by 8 digits and by 32, from the box and the address', 4, ways.length)]
}

async function search(page: Page, lab: LabProcess): Promise<Check[]> {
  await page.goto(`${lab.url}/#/traces?service=mesh-a&span=mesh.staleness.pruned&back=15`)
  const found = page.getByRole('row', { name: /mesh\.staleness\.pruned/ }).first()
  await found.waitFor()
  const text = (await found.textContent()) ?? ''
  await found.getByRole('link').click()
  await page.getByRole('button', { name: /mesh\.staleness\.pruned/, expanded: true }).waitFor()
  const lines = await page.locator('.waterfall li').count()
  const took = await page.locator('.waterfall .took').allTextContents()
  // Only the spans with which a trace begins are at its begin.
  const atBegin = took.filter((one) => one === '+0 ms').length
  await page.getByRole('link', { name: 'Search', exact: true }).click()
  await found.waitFor()
  return [
    equals('a result names its span and an attribute', true, /mesh\.staleness\.pruned.*mesh\.pruned\./.test(text)),
    equals('back has the query', 'mesh.staleness.pruned', await page.getByLabel('Span').inputValue()),
    equals('markers of a microsecond shown as 0 ms', 0, took.filter((one) => one === '0 ms').length),
    atMost('spans shown at the begin of a minute', Math.max(5, lines / 4), atBegin),
  ]
}

/** The page is in Kathmandu, 5:45 ahead of UTC; another one looks on tomorrow. */
async function times(browser: Browser, page: Page, lab: LabProcess): Promise<Check[]> {
  const header = (await page.locator('header').textContent()) ?? ''
  const tomorrow = await openPage(browser, 'about:blank', { timezoneId: 'UTC' })
  await tomorrow.page.clock.setFixedTime(Date.now() + 86_400_000)
  await tomorrow.page.goto(`${lab.url}/#/messages`)
  const cell = tomorrow.page.locator('tbody th').first()
  await cell.waitFor()
  const day = new Date().toISOString().slice(5, 10)
  const text = (await cell.textContent()) ?? ''
  await tomorrow.context.close()
  return [
    equals('the zone stands beside the times', true, /times in .*(5:45|Kathmandu|\+0545)/.test(header)),
    equals(
      `a time of another day has its date: ${text} (${day})`,
      true,
      /\d.*\d\d:\d\d:\d\d/.test(text) && text.length > 8,
    ),
  ]
}

async function hoverRows(page: Page, lab: LabProcess): Promise<Check[]> {
  await page.goto(`${lab.url}/#/messages`)
  const rows = page.locator('section[aria-labelledby=live-spans] tbody tr')
  await rows.nth(5).waitFor()
  await rows.nth(3).hover()
  await rows.nth(3).getByRole('link').first().focus()
  const before = await rows.nth(3).textContent()
  const cpu = await mainThread(page)
  await page.waitForTimeout(watchedMs)
  const { cpuMsPerS } = await cpu()
  const focused = await page.evaluate(`document.activeElement.closest('tr')?.textContent`)
  const isSame = (await rows.nth(3).textContent()) === before
  await page.mouse.move(1, 1)
  await page.getByPlaceholder('filter by node').focus()
  return [
    equals('the row below the pointer stays', true, isSame),
    equals('the focus stays in its row', before ?? '', String(focused)),
    atMost('CPU of the page in 12 s', 1_000, (cpuMsPerS * watchedMs) / 1_000, 'ms'),
  ]
}

async function killNode(page: Page, lab: LabProcess, victim: string): Promise<Check[]> {
  await page.goto(`${lab.url}/#/nodes/${victim}`)
  const kill = page.getByRole('button', { name: 'Kill' })
  const before = JSON.stringify(await kill.boundingBox())
  await kill.focus()
  await page.keyboard.press('Enter')
  await page.getByRole('status').filter({ hasText: 'Kill: done' }).waitFor()
  await page.locator('.state-killed').first().waitFor()
  const focused = await page.evaluate('document.activeElement.textContent')
  const after = JSON.stringify(await kill.boundingBox())
  const facts = (await page.locator('.facts').textContent()) ?? ''
  await page.getByRole('button', { name: 'Start again' }).click()
  const isBack = page.locator('h2 .state-running').waitFor()
  return [
    equals(
      'a start undoes the kill',
      true,
      await isBack.then(
        () => true,
        () => false,
      ),
    ),
    equals('Kill stays where it is', before, after),
    equals('the focus stays on it, and its result is announced', 'Kill', String(focused)),
    equals('a dead node shows memory, CPU or a process', false, /Memory|CPU|Process/.test(facts)),
  ]
}

async function axe(page: Page, lab: LabProcess, victim: string): Promise<Check[]> {
  const found: string[] = []
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    for (const hash of ['topology', 'nodes', `nodes/${victim}`, 'nodes/never-there', 'traces', 'boot', 'messages']) {
      await page.goto(`${lab.url}/#/${hash}`)
      await page.locator('main .card').first().waitFor()
      for (const violation of await axeViolations(page)) found.push(`${hash}, ${colorScheme}: ${violation}`)
    }
  }
  await page.goto(`${lab.url}/#/nodes/never-there`)
  const says = await page.locator('main').textContent()
  return [
    equals('what axe finds', '', found.join(' | ')),
    equals('an unknown node is said to be unknown', true, /unknown/.test(says ?? '')),
  ]
}

async function loseStore(page: Page, lab: LabProcess): Promise<Check[]> {
  const store = childrenOf(lab.pid).find((pid) => commandOf(pid).includes('store'))
  if (store === undefined) return [equals('the process of the store', 'found', 'none')]
  await page.goto(`${lab.url}/#/traces`)
  process.kill(store, 'SIGSTOP')
  await page.goto(`${lab.url}/#/traces?service=mesh-a&span=mesh.audit&back=15`)
  process.kill(store, 'SIGKILL')
  const alert = page.getByRole('alert').first()
  await alert.waitFor({ timeout: 60_000 })
  const text = ((await alert.textContent()) ?? '').trim()
  const isLive = (await page.locator('.pulse.live').count()) === 1
  return [
    equals(
      'a dead store in one sentence, the detail folded',
      true,
      /^The trace store does not answer\. *Detail/.test(text),
    ),
    equals('the mesh stays live meanwhile', true, isLive),
  ]
}

/** SIGSTOP: no answer; SIGCONT: it comes back by itself; SIGTERM: the lab ends. */
async function loseServer(page: Page, lab: LabProcess, victim: string): Promise<Check[]> {
  await page.goto(`${lab.url}/#/nodes/${victim}`)
  await page.locator('.pulse.live').waitFor()
  process.kill(lab.pid, 'SIGSTOP')
  let sentence = ''
  let isOff = false
  try {
    const stale = page.locator('.pulse.stale')
    await stale.waitFor({ timeout: 60_000 })
    sentence = ((await stale.textContent()) ?? '').trim()
    isOff = (await page.locator('main.stale').count()) === 1
    isOff &&= (await page.getByRole('button', { name: 'Kill' }).getAttribute('aria-disabled')) === 'true'
  } finally {
    process.kill(lab.pid, 'SIGCONT')
  }
  await page.locator('.pulse.live').waitFor({ timeout: 60_000 })
  const ended = page.getByText('The lab has ended.')
  await Promise.all([lab.stop(), ended.waitFor({ timeout: 60_000 })])
  return [
    equals(
      'a server that hangs: a sentence and the age of the view',
      true,
      /does not answer\..*Shown: the mesh .* ago/.test(sentence),
    ),
    equals('its view is dimmed, its controls are off', true, isOff),
    equals('it comes back by itself; a lab that ends is said to have ended', true, await ended.isVisible()),
  ]
}
