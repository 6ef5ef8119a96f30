import assert from 'node:assert/strict'
import type { Locator, Page } from 'playwright-core'
import { until } from '../processes/waiting.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { browserTest, openPage } from '../testing/page/browser.ts'
import { pageMesh, pagePeer } from '../testing/page/page-mesh.ts'
import { startPageServer } from '../testing/page/page-server.ts'
import { openExpiry } from '../testing/page/page-steps.ts'
import { pageSpans, pageTrace } from '../testing/page/page-traces.ts'
import type { MeshView } from './mesh-view.ts'

leakCheck()

const survivors = ['seed-a1', 'seed-a2', 'bridge-1']
const spans = pageSpans('compute-a5', survivors)
/** Spans that ended ten minutes ago: their traces no longer grow. */
const oldSpans = spans.map((span) => ({ ...span, startMs: span.startMs - 600_000 }))

/** The fixture mesh with one node in another state. */
function meshWith(name: string, state: MeshView['nodes'][number]['state']): MeshView {
  return pageMesh(8, { nodes: pageMesh(8).nodes.map((node) => (node.name === name ? { ...node, state } : node)) })
}

browserTest('a killed node: its page leads to the trace of its expiry', async (browser) => {
  await using server = await startPageServer(meshWith('compute-a5', 'killed'), spans)
  const { page, complaints } = await openPage(browser, `${server.url}/#/nodes`)
  await page.getByRole('row', { name: 'compute-a5' }).getByRole('link').click()
  await openExpiry(page, 'seed-a2')
  assert.match(page.url(), new RegExp(`#/traces/${pageTrace('win-seed-a2')}`))
  assert.match((await page.locator('.span-details').textContent()) ?? '', new RegExp(pagePeer('compute-a5')))
  assert.deepEqual(complaints, [])
})

browserTest('on an observer a node is addressed by id, and a removed one still shows its expiries', async (browser) => {
  const complete = pageMesh(8)
  const all = complete.nodes.map((node) => ({ ...node, controllable: false, name: node.name && 'like-all' }))
  const self = pagePeer('seed-a2')
  const observed: MeshView = { ...complete, from: 'observer', self, nodes: all, spans: [], messages: [] }
  await using server = await startPageServer(observed, spans)
  const removed = pagePeer('compute-a5')
  const { page, complaints } = await openPage(browser, `${server.url}/#/nodes`)
  await page.locator(`tbody a[href="#/nodes/${removed}"]`).click()
  await page.getByText(removed, { exact: true }).waitFor()
  server.view = { ...observed, nodes: all.filter(({ id }) => id !== removed) }
  await page.getByText(/knows nothing of this node but/).waitFor()
  await page.getByText(/This page shows mesh-a only/).waitFor()
  await page.getByRole('region', { name: 'Expired by' }).getByRole('row', { name: 'seed-a2' }).waitFor()
  await page.goto(`${server.url}/#/messages`)
  await page.getByText(/An observer has no live spans/).waitFor()
  assert.equal(await page.getByRole('form', { name: 'Publish a message' }).count(), 0)
  assert.deepEqual(complaints, [])
})

browserTest(
  'links between traces: the page follows them both ways and searches for them on request',
  async (browser) => {
    await using server = await startPageServer(pageMesh(8), oldSpans)
    const { page, complaints } = await openPage(browser, `${server.url}/#/traces/${pageTrace('opened')}`)
    const requestCount = (path: string) =>
      server.requests.filter((request) => request.startsWith(`GET /api/v3/traces${path}`)).length
    const button = page.getByRole('button', { name: 'Find spans that link here' })
    await button.waitFor()
    assert.equal(requestCount('?'), 0)
    await button.click()
    await page.getByRole('link', { name: /mesh\.connection\.closed/ }).click()
    await page.getByRole('button', { name: /mesh\.connection\.closed/, expanded: true }).waitFor()
    await page.getByRole('link', { name: /^trace/ }).click()
    await page.getByRole('button', { name: /mesh\.connection\.opened/, expanded: true }).click()
    await page.getByRole('button', { name: /mesh\.connection\.opened/ }).click()
    await page.getByRole('link', { name: /mesh\.connection\.closed/ }).waitFor()
    assert.equal(requestCount(`/${pageTrace('end')}`), 1, 'a trace that no longer grows loads once')
    assert.deepEqual(complaints, [])
  },
)

browserTest('a trace search: the address holds the query, and text from a peer is never markup', async (browser) => {
  await using server = await startPageServer({ ...pageMesh(8), jaegerUrl: 'http://127.0.0.1:1' }, spans)
  const { page, complaints } = await openPage(browser, `${server.url}/#/traces`)
  await page.getByLabel('Span').selectOption('mesh.seed.dial')
  await page.getByLabel('Within').selectOption('an hour')
  await page.getByLabel('Attributes').fill('mesh.seed.cause=start')
  // The page renders after each poll: typed text has to outlast that.
  const asked = server.requests.length
  const polls = () => server.requests.slice(asked).filter((one) => one.startsWith('GET /api/mesh?')).length
  await until(() => polls() >= 2, 30_000, 'two more polls')
  await page.getByLabel('Attributes').press('Enter')
  await page.getByRole('row', { name: /mesh\.seed\.dial/ }).waitFor()
  assert.match(page.url(), /span=mesh\.seed\.dial&attributes=mesh\.seed\.cause%3Dstart&back=60/)
  assert.equal(await page.evaluate('document.activeElement.name'), 'attributes')
  await page.reload()
  await page.getByRole('row', { name: 'mesh.seed.dial 1 error' }).getByRole('link').click()
  await page.getByRole('button', { name: /mesh\.seed\.giveup/ }).click()
  assert.match((await page.locator('.span-details').textContent()) ?? '', /<img src=x onerror=alert\(1\)>/)
  const deep = await page.getByRole('link', { name: 'Open in Jaeger' }).getAttribute('href')
  assert.equal(deep, `http://127.0.0.1:1/trace/${pageTrace('dial')}`)
  assert.deepEqual(complaints, [])
})

browserTest(
  'a trace opens by its first digits, from the box and from the address; digits of two lead to a list',
  async (browser) => {
    await using server = await startPageServer(pageMesh(8), spans)
    const { page, complaints } = await openPage(browser, `${server.url}/#/traces`)
    const dial = pageTrace('dial')
    await page.getByLabel('Trace id').fill(`trace ${dial.slice(0, 8).toUpperCase()}`)
    await page.getByRole('button', { name: 'Open' }).click()
    await page.getByText(dial, { exact: true }).waitFor()
    await page.getByRole('button', { name: /mesh\.seed\.giveup/ }).waitFor()
    const alike = pageTrace('win-seed-a1').slice(0, 12)
    await page.goto(`${server.url}/#/traces/${alike}`)
    await page.getByRole('link', { name: pageTrace('win-seed-a2') }).click()
    await page.getByRole('button', { name: /mesh\.member\.expired/ }).waitFor()
    await page.goto(`${server.url}/#/traces/0123456789`)
    await page.getByText(/No trace of the last week/).waitFor()
    await page.getByRole('link', { name: 'Search', exact: true }).click()
    await page.getByLabel('Trace id').fill('not a trace')
    await page.getByRole('button', { name: 'Open' }).click()
    await page.getByText(/has the digits 0-9 and a-f only/).waitFor()
    assert.deepEqual(complaints, [])
  },
)

browserTest(
  'a search result: the row is the span that matched, opens it, and leads back to the query',
  async (browser) => {
    await using server = await startPageServer(pageMesh(8), oldSpans)
    const { page, complaints } = await openPage(browser, `${server.url}/#/traces?span=mesh.member.expired&back=60`)
    await page.getByLabel('Attributes').fill('mesh.node.name=seed-a2')
    await page.getByLabel('Attributes').press('Enter')
    const row = page.getByRole('row', { name: /mesh\.member\.expired/ })
    await until(async () => (await row.count()) === 1, 30_000, 'the trace of one node')
    assert.match((await row.textContent()) ?? '', /mesh\.node\.name=seed-a2 mesh\.peer\.id=/)
    await row.getByRole('link').click()
    await page.getByRole('button', { name: /mesh\.member\.expired/, expanded: true }).waitFor()
    const took = page.getByRole('listitem').filter({ hasText: 'mesh.staleness.pruned' }).locator('.took')
    assert.equal(await took.textContent(), '+5 s')
    await page.getByRole('link', { name: 'Search', exact: true }).click()
    await row.waitFor()
    assert.equal(await page.getByLabel('Attributes').inputValue(), 'mesh.node.name=seed-a2')
    assert.equal(await page.getByLabel('Within').inputValue(), '60')
    assert.deepEqual(complaints, [])
  },
)

browserTest('node controls: they work in a lab and are absent on an observer', async (browser) => {
  await using server = await startPageServer(pageMesh(8), spans)
  const { page, complaints } = await openPage(browser, `${server.url}/#/nodes/broker-a4`)
  await page.getByRole('button', { name: 'Kill' }).click()
  await page.getByText('Kill: done').waitFor()
  server.view = meshWith('broker-a4', 'killed')
  await page.getByRole('button', { name: 'Start afresh' }).click()
  await page.getByText('Start afresh: done').waitFor()
  await page.goto(`${server.url}/#/nodes/seed-a1`)
  await page.getByRole('heading', { name: /seed-a1/ }).waitFor()
  assert.equal(await page.getByText('Start afresh: done').count(), 0, 'the status of another node is not shown')
  await page.goto(`${server.url}/#/nodes`)
  await page.getByLabel('Role').selectOption('gateway')
  await page.getByRole('button', { name: 'Start another node' }).click()
  await page.getByText('new gateway in mesh-a: done').waitFor()
  assert.deepEqual(
    server.requests.filter((request) => request.startsWith('POST')),
    ['POST /api/lab/nodes/broker-a4/kill', 'POST /api/lab/nodes/broker-a4/start?identity=fresh', 'POST /api/lab/nodes'],
  )
  const nodes = pageMesh(8).nodes.map((node) => ({ ...node, controllable: false }))
  server.view = pageMesh(8, { from: 'observer', nodes })
  await page.goto(`${server.url}/#/nodes/broker-a4`)
  await page.getByRole('heading', { name: /broker-a4/ }).waitFor()
  await until(async () => (await page.getByRole('button', { name: 'Kill' }).count()) === 0, 30_000, 'no controls')
  assert.deepEqual(complaints, [])
})

browserTest('a kill: its button stays where it is, keeps the focus, and the result is announced', async (browser) => {
  await using server = await startPageServer(pageMesh(8), spans)
  const { page } = await openPage(browser, `${server.url}/#/nodes/broker-a4`)
  const kill = page.getByRole('button', { name: 'Kill' })
  const before = await kill.boundingBox()
  await kill.focus()
  await page.keyboard.press('Enter')
  await page.getByRole('status').filter({ hasText: 'Kill: done' }).waitFor()
  server.view = meshWith('broker-a4', 'killed')
  await page.locator('button[aria-disabled=true]', { hasText: 'Kill' }).waitFor()
  assert.deepEqual(await kill.boundingBox(), before)
  assert.equal(await page.evaluate('document.activeElement.textContent'), 'Kill')
  await page.keyboard.press('Enter')
  server.view = meshWith('broker-a4', 'paused')
  await page.getByRole('button', { name: 'Resume' }).waitFor()
  assert.deepEqual(await kill.boundingBox(), before)
  assert.equal(server.requests.filter((one) => one.startsWith('POST')).length, 1, 'a button that is off does nothing')
})

browserTest(
  'live spans: rows keep their elements, and the list waits for the pointer and the focus',
  async (browser) => {
    const mesh = pageMesh(8)
    const row = (index: number) => ({
      atMs: 1_000 * index,
      node: 'seed-a1',
      span: 'mesh.hello.received',
      detail: `${index}`,
      trace: pageTrace('dial'),
    })
    const viewFrom = (first: number): MeshView => ({
      ...mesh,
      spans: Array.from({ length: 200 }, (_, i) => row(first + i)),
    })
    await using server = await startPageServer(viewFrom(0))
    const { page } = await openPage(browser, `${server.url}/#/messages`)
    const detail = (index: number) => page.locator('.detail', { hasText: new RegExp(`^${index}$`) })
    await detail(199).waitFor()
    await page.evaluate(`document.querySelectorAll('tbody tr').forEach((row) => { row.isFirst = true })`)
    server.view = viewFrom(5)
    await detail(204).waitFor()
    const kept = await page.evaluate(`[...document.querySelectorAll('tbody tr')].filter((row) => row.isFirst).length`)
    assert.equal(kept, 195)
    await page.locator('tbody tr').nth(3).getByRole('link', { name: 'seed-a1' }).focus()
    server.view = viewFrom(10)
    await page.getByText('paused').waitFor()
    const polls = () => server.requests.filter((one) => one.startsWith('GET /api/mesh?')).length
    const asked = polls()
    await until(() => polls() >= asked + 2, 30_000, 'two more polls')
    assert.equal(await detail(209).count(), 0)
    assert.equal(await page.evaluate('document.activeElement.textContent'), 'seed-a1')
    await page.getByPlaceholder('filter by node').focus()
    await detail(209).waitFor()
  },
)

browserTest('the keyboard reaches every view', async (browser) => {
  await using server = await startPageServer(pageMesh(8), spans)
  const { page } = await openPage(browser, `${server.url}/#/topology`)
  await tabTo(page, page.getByRole('link', { name: /^bridge-1, bridge/ }))
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: /bridge-1/ }).waitFor()
  await page.goto(`${server.url}/#/traces/${pageTrace('dial')}`)
  await tabTo(page, page.getByRole('button', { name: /mesh\.seed\.dial/ }))
  await page.keyboard.press('ArrowLeft')
  await until(async () => (await page.locator('.waterfall li').count()) === 1, 30_000, 'closed')
  await page.keyboard.press('ArrowRight')
  await until(async () => (await page.locator('.waterfall li').count()) === 4, 30_000, 'open')
  await page.keyboard.press('End')
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: /mesh\.seed\.giveup/, expanded: true }).waitFor()
  await page.goto(`${server.url}/#/nodes`)
  for (const direction of ['ascending', 'descending']) {
    await tabTo(page, page.getByRole('button', { name: 'Retries' }))
    await page.keyboard.press('Enter')
    await page.locator(`th[aria-sort=${direction}]`, { hasText: 'Retries' }).waitFor()
  }
  assert.match((await page.locator('tbody tr').first().textContent()) ?? '', /broker/)
})

/** Presses Tab until the target has the focus. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  await target.waitFor()
  for (let presses = 0; presses < 150; presses++) {
    await page.keyboard.press('Tab')
    if ((await target.and(page.locator(':focus')).count()) > 0) return
  }
  throw new Error(`Tab does not reach ${target}`)
}

browserTest('a hidden page: it sends no requests and resumes when it is visible', async (browser) => {
  await using server = await startPageServer(pageMesh(8), oldSpans)
  const { page } = await openPage(browser, `${server.url}/`)
  const hide = (hidden: boolean) =>
    page.evaluate(`Object.defineProperty(document, 'hidden', { configurable: true, get: () => ${hidden} });
      document.dispatchEvent(new Event('visibilitychange'))`)
  await page.getByText('live').waitFor()
  await hide(true)
  await page.waitForTimeout(300)
  const asked = server.requests.length
  // Longer than the second between two polls.
  await page.waitForTimeout(1_500)
  await page.evaluate(`location.hash = '#/traces/${pageTrace('dial')}'`)
  await page.getByText('Loading …').waitFor()
  await page.waitForTimeout(300)
  const since = server.requests.slice(asked).filter((one) => one.includes('/api/'))
  assert.deepEqual(since, [])
  await hide(false)
  await until(
    () => server.requests.slice(asked).some((one) => one.startsWith('GET /api/mesh?')),
    30_000,
    'the page polls again',
  )
  await page.getByRole('button', { name: /mesh\.seed\.giveup/ }).waitFor()
})

browserTest(
  'a server that fails: the page says so and how old the last view is, its controls are off, and it comes back',
  async (browser) => {
    await using server = await startPageServer(pageMesh(8))
    const { page } = await openPage(browser, `${server.url}/#/nodes/broker-a4`)
    const kill = page.getByRole('button', { name: 'Kill' })
    await page.locator('.pulse.live').waitFor()
    server.view = undefined
    const status = page.getByRole('status').filter({ hasText: 'The server of this page reports a problem.' })
    await status.waitFor()
    await page.getByText(/^Shown: the mesh .* ago\.$/).waitFor()
    assert.equal(await page.getByText('not now').isVisible(), false)
    await status.getByText('Detail').click()
    await page.getByText('not now').waitFor()
    assert.equal(await kill.isDisabled(), true)
    assert.equal(await page.locator('main.stale').count(), 1)
    server.view = { ...pageMesh(8), ending: true }
    await page.locator('.pulse.live').waitFor()
    assert.equal(await kill.isDisabled(), false)
    await server[Symbol.asyncDispose]()
    await page.getByText('The lab has ended.').waitFor()
  },
)

browserTest(
  'a trace store that does not answer: the page says so, and shows the traces once it does',
  async (browser) => {
    await using server = await startPageServer(pageMesh(8), spans)
    server.isStoreDown = true
    const { page } = await openPage(browser, `${server.url}/#/traces/${pageTrace('dial')}`)
    await page.getByRole('alert').filter({ hasText: 'The trace store does not answer.' }).waitFor()
    server.isStoreDown = false
    await page.getByRole('button', { name: /mesh\.seed\.giveup/ }).waitFor()
    assert.equal(await page.getByRole('alert').count(), 0)
  },
)

browserTest('a phone in dark mode: every view fits, and the list comes first', async (browser) => {
  await using server = await startPageServer(meshWith('compute-a5', 'killed'), spans)
  const phone = { viewport: { width: 390, height: 844 }, colorScheme: 'dark', reducedMotion: 'reduce' } as const
  const { page, complaints } = await openPage(browser, `${server.url}/`, phone)
  await page.getByRole('link', { name: 'seed-a1', exact: true }).waitFor()
  const tops = await page.evaluate(
    `['.list', '.graph'].map((it) => document.querySelector(it).getBoundingClientRect().top)`,
  )
  const [list = 0, graph = 0] = tops as number[]
  assert.ok(list < graph)
  const dark = await page.evaluate(`getComputedStyle(document.body).backgroundColor`)
  assert.equal(dark, 'rgb(18, 22, 29)')
  const hashes = [
    'topology',
    'nodes',
    'nodes/compute-a5',
    'traces',
    `traces/${pageTrace('dial')}`,
    'doctor',
    'boot',
    'messages',
  ]
  for (const hash of hashes) {
    await page.goto(`${server.url}/#/${hash}`)
    await page.waitForTimeout(300)
    const surplus = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
    assert.equal(surplus, 0, `${hash} is wider than a phone`)
  }
  assert.deepEqual(complaints, [])
})
