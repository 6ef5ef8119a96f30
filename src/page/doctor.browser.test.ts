import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { MeshError } from '../core/errors.ts'
import { diagnose } from '../doctor/diagnose.ts'
import type { DiseaseName } from '../doctor/diseases.ts'
import { EvidenceFold } from '../doctor/evidence/fold.ts'
import { type Report, reportOf } from '../doctor/report/report.ts'
import { rules } from '../doctor/rules/all.ts'
import { exampleOf } from '../testing/doctor/examples.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { axeViolations } from '../testing/page/axe.ts'
import { browserTest, openPage } from '../testing/page/browser.ts'
import { pageMesh } from '../testing/page/page-mesh.ts'
import { startPageServer } from '../testing/page/page-server.ts'
import type { TraceSpan } from '../traces/trace.ts'

leakCheck()

const read = ['all spans of mesh-a']

/** What the doctor reports of these spans. */
function reportOn(spans: readonly TraceSpan[], partial: readonly string[] = []): Report {
  const fold = new EvidenceFold()
  for (const span of spans) fold.add(span)
  const coverage = { complete: partial.length === 0, partial }
  const evidence = fold.evidence(coverage)
  const reading = { ...coverage, read, bytes: 1_000, requests: 3 }
  return reportOf({ evidence, diagnosis: diagnose(evidence, rules), reading, links: () => undefined })
}

/** An example with its node under a name of the page's mesh, and ids that Jaeger accepts. */
function exampleOn(disease: DiseaseName, node: string): TraceSpan[] {
  return exampleOf(disease).map((span) => {
    const id = Buffer.from(span.spanId).toString('hex').slice(-16).padStart(16, '0')
    const name = span.resource['mesh.node.name'] === 'node-3' ? node : span.resource['mesh.node.name']
    return {
      ...span,
      traceId: id.padStart(32, 'd'),
      spanId: id,
      startMs: span.startMs - 1_800_000_000_000 + Date.now() - 1_200_000,
      resource: { ...span.resource, 'mesh.node.name': String(name) },
    }
  })
}

const titleOf = (page: Page) => page.getByRole('heading', { level: 2 })

browserTest('a mesh with two faults: each with its owner, its cure, and spans that open as traces', async (browser) => {
  const spans = [...exampleOn('timers-left', 'broker-a4'), ...exampleOn('self-seed', 'compute-a5')]
  await using server = await startPageServer(pageMesh(8), spans)
  server.diagnose = async () => reportOn(spans)
  const { page, complaints } = await openPage(browser, `${server.url}/#/topology`)
  await page.getByRole('link', { name: 'Doctor' }).click()
  await titleOf(page).filter({ hasText: '2 findings' }).waitFor()
  const titles = await page.getByRole('heading', { level: 3 }).allTextContents()
  assert.deepEqual(titles, ['A seed that is the node itself certain', 'Timers that nobody clears likely'])
  const timers = page.getByRole('region', { name: 'Timers that nobody clears' })
  assert.match((await timers.textContent()) ?? '', /3600 timers per hour.*Clear the timers/)
  assert.equal(await timers.getByRole('link', { name: 'broker-a4' }).getAttribute('href'), '#/nodes/broker-a4')
  assert.deepEqual(await axeViolations(page), [])
  await timers
    .getByRole('link', { name: /^mesh\.audit/ })
    .first()
    .click()
  await page.getByRole('button', { name: /mesh\.audit/, expanded: true }).waitFor()
  await page.goBack()
  await titleOf(page).filter({ hasText: '2 findings' }).waitFor()
  assert.deepEqual(complaints, [])
})

browserTest(
  'a healthy mesh, and one with too little evidence: what would have been seen, and what is missing',
  async (browser) => {
    await using server = await startPageServer(pageMesh(8))
    const clean = exampleOn('telemetry-lost', 'broker-a4').filter(
      ({ name, startMs }) => name === 'mesh.audit' && startMs < Date.now() - 905_000,
    )
    const texts: string[] = []
    for (const partial of [[], ['mesh-a, 2026-11-30T10:00: the store has more traces than it gives']]) {
      server.diagnose = async () => reportOn(clean, partial)
      const { page, context } = await openPage(
        browser,
        `${server.url}/#/doctor?back=60&at=${Date.now() - partial.length * 60_000}`,
      )
      await titleOf(page).filter({ hasNotText: 'Diagnosing' }).waitFor()
      texts.push((await page.locator('main').textContent()) ?? '')
      assert.deepEqual(await axeViolations(page), [])
      assert.equal(await page.getByLabel('Spans of the last').inputValue(), '60')
      await context.close()
    }
    assert.match(
      texts[0] ?? '',
      /Healthy: nothing found.*1 node \(1 process\) of mesh-a, \d+ spans, .*A leak that nothing counts would show from/,
    )
    assert.match(
      texts[1] ?? '',
      /Unclear: not enough evidence.*What is missing:.*the store has more traces than it gives/,
    )
  },
)

browserTest(
  'a diagnosis that takes a while: its progress, from the keyboard; then an empty and an absent store',
  async (browser) => {
    await using server = await startPageServer(pageMesh(8))
    const end = Promise.withResolvers<Report>()
    server.diagnose = (_, __, progress) => {
      progress('mesh-a, minute 3 of 15')
      return end.promise
    }
    const { page } = await openPage(browser, `${server.url}/#/doctor`)
    await page.getByText(/Reading spans of the trace store … 1.* mesh-a, minute 3 of 15/).waitFor()
    assert.deepEqual(await axeViolations(page), [])
    const fail = (error: Error) => {
      server.diagnose = () => Promise.reject(error)
    }
    fail(new MeshError('MESH_SPANS_ABSENT', { where: 'http://store', found: 'it has no service', cure: 'start nodes' }))
    end.resolve(reportOn(exampleOn('alone', 'broker-a4')))
    await titleOf(page).filter({ hasText: '1 finding' }).waitFor()
    await page.getByLabel('Spans of the last').focus()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').filter({ hasText: 'no spans of this mesh from that time' }).waitFor()
    assert.match(page.url(), /#\/doctor\?back=60&at=\d+$/)
    fail(new MeshError('MESH_TRACES_UNREACHABLE', { url: 'http://store', cause: 'ECONNREFUSED' }))
    await page.goto(`${server.url}/#/doctor?back=360`)
    await page.getByRole('alert').filter({ hasText: 'The trace store does not answer.' }).waitFor()
    assert.deepEqual(await axeViolations(page), [])
  },
)

browserTest('a fault of many nodes: one card, and the other owners unfold with their proofs', async (browser) => {
  const spans = ['broker-a4', 'compute-a5', 'compute-a6'].flatMap((node) =>
    exampleOn('timers-left', node).map((span) => ({
      ...span,
      resource: { ...span.resource, 'service.instance.id': node, 'mesh.peer.self': node },
    })),
  )
  await using server = await startPageServer(pageMesh(8), spans)
  server.diagnose = async () => reportOn(spans)
  const { page, complaints } = await openPage(browser, `${server.url}/#/doctor`)
  await titleOf(page).filter({ hasText: '3 findings' }).waitFor()
  assert.equal(await page.getByRole('heading', { level: 3 }).count(), 1)
  await page.getByText('2 more owners').click()
  await page.getByRole('link', { name: 'compute-a6' }).waitFor()
  assert.equal(await page.getByRole('link', { name: /^mesh\.audit/ }).count(), 6)
  assert.deepEqual(await axeViolations(page), [])
  assert.deepEqual(complaints, [])
})

browserTest('an observer without a trace store: the tab says what to set', async (browser) => {
  await using server = await startPageServer({ ...pageMesh(8), from: 'observer', traces: false })
  const { page, complaints } = await openPage(browser, `${server.url}/#/doctor`)
  await page.getByText(/set MESH_QUERY/).waitFor()
  assert.deepEqual(complaints, [])
})

browserTest('a phone: findings with long names are not wider than the screen', async (browser) => {
  const long = 'a-name-of-a-node-that-somebody-chose-'.repeat(3)
  const spans = [...exampleOn('registry-unswept', long), ...exampleOn('wrong-identity', 'compute-a5')]
  await using server = await startPageServer(pageMesh(8), spans)
  server.diagnose = async () => reportOn(spans)
  for (const width of [360, 768]) {
    const { page, context } = await openPage(browser, `${server.url}/#/doctor`, { viewport: { width, height: 800 } })
    await titleOf(page).filter({ hasText: '2 findings' }).waitFor()
    assert.equal(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), 0, `${width} pixels`)
    await context.close()
  }
})
