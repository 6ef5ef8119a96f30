import assert from 'node:assert/strict'
import type { Browser, Page } from 'playwright-core'
import { leakCheck } from '../testing/leak-check.ts'
import { axeViolations } from '../testing/page/axe.ts'
import { browserTest, openPage } from '../testing/page/browser.ts'
import { pageMesh, pagePeer } from '../testing/page/page-mesh.ts'
import { startPageServer } from '../testing/page/page-server.ts'
import { pageSpans, pageTrace } from '../testing/page/page-traces.ts'
import type { MeshView, NodeState } from './mesh-view.ts'

leakCheck()

const departed = pagePeer('gone-1')
/** Of a peer: a name may have as many characters as a digest allows, without a space. */
const longName = 'a-name-of-a-node-that-somebody-chose-'.repeat(3)
const states: readonly NodeState[] = ['starting', 'waiting', 'paused', 'stopped', 'killed', 'failed', 'unreachable']
const spans = pageSpans('compute-a5', ['seed-a1', 'seed-a2']).map((span) => ({
  ...span,
  startMs: span.startMs - 600_000,
}))

/** A mesh with a node in every state, links of every kind, a long name, and a link to a node that it does not have. */
function everything(): MeshView {
  const mesh = pageMesh(8)
  const nodes = mesh.nodes.map((node, index) => {
    const state = states[index - 3]
    if (index === 12) return { ...node, name: longName }
    return state === undefined || node.state === 'guest' ? node : { ...node, state }
  })
  const [first, second, third] = mesh.nodes.map(({ id }) => id)
  const link = { id: 'x.1.1', transport: 'quic', ends: 1 } as const
  const links = [
    ...mesh.links,
    { ...link, a: first ?? '', b: departed, kind: 'member' as const },
    { ...link, id: 'x.1.2', a: second ?? '', b: third ?? '', kind: 'unsettled' as const },
  ]
  const live = [...mesh.spans, { ...(mesh.spans[0] ?? assert.fail()), node: longName, detail: 'x'.repeat(300) }]
  return { ...mesh, nodes, links, spans: live, self: first ?? '', jaegerUrl: 'http://127.0.0.1:1' }
}

const views = [
  'topology',
  'nodes',
  'nodes/compute-a5',
  `nodes/${encodeURIComponent(longName)}`,
  `nodes/${departed}`,
  'nodes/never-there',
  'traces',
  'traces?span=mesh.member.expired&back=60',
  `traces/${pageTrace('dial')}`,
  'traces/0123456789',
  'boot',
  'messages',
]

async function show(page: Page, url: string, hash: string): Promise<void> {
  await page.goto(`${url}/#/${hash}`)
  await page.locator('main .card').first().waitFor()
  await page
    .locator('[aria-busy=true], .quiet:text("Searching"), .quiet:text("Loading")')
    .first()
    .waitFor({ state: 'detached' })
}

browserTest('every view, in light and dark mode: axe finds nothing; a planted fault is found', async (browser) => {
  await using server = await startPageServer(everything(), spans)
  for (const colorScheme of ['light', 'dark'] as const) {
    const { page, context } = await openPage(browser, `${server.url}/`, { colorScheme, reducedMotion: 'reduce' })
    const found: string[] = []
    for (const hash of views) {
      await show(page, server.url, hash)
      for (const violation of await axeViolations(page)) found.push(`${hash}, ${colorScheme}: ${violation}`)
    }
    assert.deepEqual(found, [])
    await page.evaluate(`document.querySelector('h2').style = 'color: #888; background: #999';
      document.querySelector('main').append(document.createElement('button'))`)
    const planted = (await axeViolations(page)).map((violation) => violation.split(':')[0])
    assert.deepEqual(planted.sort(), ['button-name', 'color-contrast'])
    await context.close()
  }
})

/** The visible properties of each mark of a drawing. */
const looks = (selector: string) => `[...document.querySelectorAll('${selector}')].flatMap((mark) => {
  const parts = mark.matches('line') ? [mark] : [...mark.querySelectorAll('circle, path')]
  return [parts.map((part) => {
    const { fill, stroke, strokeDasharray, strokeWidth } = getComputedStyle(part)
    return [part.tagName, part.getAttribute('r'), part.getAttribute('d'), fill, stroke, strokeDasharray, strokeWidth].join(' ')
  }).join(' + ') + ' ' + getComputedStyle(mark).opacity]
})`

browserTest('the legend: every mark of the graph, and no other', async (browser) => {
  await using server = await startPageServer(everything())
  const { page } = await openPage(browser, `${server.url}/`, { reducedMotion: 'reduce' })
  await page.locator('.graph a.node').first().waitFor()
  const distinct = async (selector: string) => [...new Set((await page.evaluate(looks(selector))) as string[])].sort()
  const drawn = await distinct('.graph .node, .graph line')
  assert.ok(drawn.length >= 15, `${drawn.length} kinds of marks`)
  assert.deepEqual(await distinct('.legend .node, .legend line'), drawn)
  server.view = pageMesh(1)
  await page.locator('.legend', { hasText: 'killed' }).waitFor({ state: 'detached' })
  assert.deepEqual(await distinct('.legend .node, .legend line'), await distinct('.graph .node, .graph line'))
})

browserTest(
  'an unknown node: said to be unknown in the graph, at its address, and in a trace of it',
  async (browser) => {
    await using server = await startPageServer(everything(), pageSpans('compute-a5', ['stranger-a9']))
    const { page, complaints } = await openPage(browser, `${server.url}/`)
    await page.getByRole('link', { name: /, unknown, unknown$/ }).click()
    await page.getByText(/knows nothing of this node but 1 link to it/).waitFor()
    await page.goto(`${server.url}/#/nodes/never-there`)
    await page.getByText(/does not know such a node/).waitFor()
    await page.getByText(/never a member/).waitFor()
    await page.goto(`${server.url}/#/traces/${pageTrace('dial')}`)
    await page.getByText('unknown to this page').waitFor()
    assert.deepEqual(complaints, [])
  },
)

browserTest(
  'a long name in the graph: its link and its tooltip have all of it, the drawing a part',
  async (browser) => {
    await using server = await startPageServer(everything())
    const { page } = await openPage(browser, `${server.url}/`)
    const link = page.getByRole('link', { name: `${longName}, compute, running`, exact: true })
    await link.waitFor()
    const texts = await Promise.all(['title', 'text'].map((part) => link.locator(part).textContent()))
    assert.equal(texts[0], `${longName}, compute, running`)
    assert.match(texts[1] ?? '', /^a-name-of-.{0,14}…$/)
  },
)

browserTest('long names, from a phone of 360 pixels to a desk: no view is wider than the screen', async (browser) => {
  await using server = await startPageServer(everything(), spans)
  for (const width of [360, 768, 1280]) await checkWidth(browser, server.url, width)
})

async function checkWidth(browser: Browser, url: string, width: number): Promise<void> {
  const { page, context } = await openPage(browser, `${url}/`, { viewport: { width, height: 800 } })
  for (const hash of views) {
    await show(page, url, hash)
    const surplus = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
    assert.equal(surplus, 0, `${hash} is wider than ${width} pixels`)
    const covered = await page.evaluate(coveredLinks)
    assert.deepEqual(covered, [], `${hash}, ${width} pixels: links below others`)
  }
  await context.close()
}

/** Links and buttons whose middle is on the screen but below another element. */
const coveredLinks = `[...document.querySelectorAll('main :is(a, button, input, select)')].flatMap((it) => {
  if (it.closest('svg')) return []
  const { left, top, width, height } = it.getBoundingClientRect()
  const [x, y] = [left + width / 2, top + height / 2]
  if (width === 0 || x < 0 || y < 0 || x > innerWidth || y > innerHeight) return []
  const on = document.elementFromPoint(x, y)
  const clip = it.closest('.scroll, .list')?.getBoundingClientRect()
  if (clip && (x < clip.left || x > clip.right || y < clip.top || y > clip.bottom)) return []
  return on === null || it.contains(on) || on.contains(it) ? [] : [it.textContent.slice(0, 40) + ' below ' + on.className]
})`
