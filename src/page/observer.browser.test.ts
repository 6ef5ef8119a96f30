import assert from 'node:assert/strict'
import { startStore } from '../store/store.ts'
import { startCluster } from '../testing/cluster/cluster.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { browserTest, openPage } from '../testing/page/browser.ts'

leakCheck({ graceMs: 8_000 })

browserTest('an observer: it serves the page of its mesh without controls', async (browser) => {
  await using cluster = await startCluster()
  await cluster.node('seed', { role: 'seed' })
  const watcher = await cluster.node('watcher', { role: 'observer', seeds: [cluster.address('seed')] })
  const { page, complaints } = await openPage(browser, watcher.adminUrl)
  await page.getByRole('link', { name: 'seed, seed, running' }).click()
  await page.getByRole('heading', { name: /^seed/ }).waitFor()
  assert.equal(await page.getByRole('button', { name: 'Kill' }).count(), 0)
  await page.goto(`${watcher.adminUrl}/#/nodes/watcher`)
  await page.getByRole('region', { name: 'Inventory' }).getByRole('row', { name: 'members' }).waitFor()
  await page.goto(`${watcher.adminUrl}/#/traces`)
  await page.getByText(/MESH_QUERY/).waitFor()
  assert.deepEqual(complaints, [])
})

browserTest('an observer with a trace store: its page shows the spans of the mesh', async (browser) => {
  const listen = { otlp: '127.0.0.1:0', http: '127.0.0.1:0', file: ':memory:' }
  const store = await startStore({ ...listen, maxSpans: 10_000, maxBytes: 40_000_000, maxAgeMs: 3_600_000 })
  try {
    await using cluster = await startCluster()
    const env = {
      MESH_OTLP: store.otlpUrl,
      MESH_QUERY: store.queryUrl,
      MESH_JAEGER_UI: 'http://127.0.0.1:1/ui/',
      // Routine spans wait for a batch, longer than this test should.
      OTEL_BSP_SCHEDULE_DELAY: '500',
    }
    const watcher = await cluster.node('watcher', { role: 'observer', env })
    const { page, complaints } = await openPage(browser, `${watcher.adminUrl}/#/nodes/watcher`)
    await page.getByRole('region', { name: 'Last minutes' }).getByRole('listitem').first().getByRole('link').click()
    await page.getByRole('button', { name: /mesh\.node\.started/ }).click()
    const deep = await page.getByRole('link', { name: 'Open in Jaeger' }).getAttribute('href')
    assert.match(deep ?? '', /^http:\/\/127\.0\.0\.1:1\/ui\/trace\/[0-9a-f]{32}$/)
    assert.deepEqual(complaints, [])
  } finally {
    await store.close()
  }
})

browserTest('an observer with a token: the page asks for it once', async (browser) => {
  await using cluster = await startCluster()
  const token = 'a-token-of-24-characters'
  const watcher = await cluster.node('watcher', { role: 'observer', env: { MESH_ADMIN_TOKEN: token } })
  const { page } = await openPage(browser, watcher.adminUrl)
  for (const [typed, role, answer] of [
    ['another-token-altogether', 'alert', 'the server rejected this token'],
    ['two words', 'alert', 'no spaces'],
    [token, 'status', 'live'],
  ] as const) {
    await page.getByLabel(/^Token/).fill(typed)
    await page.getByRole('button', { name: 'Open' }).click()
    await page.getByRole(role).filter({ hasText: answer }).waitFor()
  }
  await page.reload()
  await page.getByText('live').waitFor()
})
