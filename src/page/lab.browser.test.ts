import assert from 'node:assert/strict'
import { until } from '../processes/waiting.ts'
import { startLabProcess } from '../testing/cluster/command-process.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { browserTest, openPage } from '../testing/page/browser.ts'
import { killOnPage, openExpiry } from '../testing/page/page-steps.ts'

leakCheck({ graceMs: 8_000 })

browserTest('a node killed on the page of a lab: its page leads to the trace of its expiry', async (browser) => {
  await using lab = await startLabProcess('--nodes', '3', '--meshes', '1', '--bridges', '0', '--for', '3m')
  const isComplete = async () =>
    (await lab.view()).nodes.every(({ state, counts }) => state === 'running' && counts.members === 2)
  await until(isComplete, 60_000, 'three nodes know each other')
  const { nodes } = await lab.view()
  const victim = nodes.find(({ role }) => role !== 'seed')
  const witness = nodes.find((node) => node !== victim)
  assert.ok(victim !== undefined && witness !== undefined)
  const { page, complaints } = await openPage(browser, lab.url)
  await page.goto(`${lab.url}/#/messages`)
  await page.getByLabel('Text').fill('hello to all')
  await page.getByLabel('Text').press('Enter')
  const rows = page.getByRole('region', { name: 'Messages' }).getByRole('listitem')
  await rows.filter({ hasText: 'published “hello to all”' }).waitFor()
  await until(
    async () => (await rows.filter({ hasText: 'received 12 bytes on lab' }).count()) === 2,
    30_000,
    'both hear',
  )
  const question = { url: lab.url, node: victim.name, survivors: 2, services: ['mesh-a'], limitMs: 60_000 }
  const expiries = await killOnPage(page, question)
  for (const { by, lateMs } of expiries) assert.ok(lateMs <= 5_000, `${by}: shown ${lateMs} ms after it was expired`)
  await openExpiry(page, witness.name)
  const details = (await page.locator('.span-details').textContent()) ?? ''
  assert.match(details, new RegExp(victim.id))
  assert.match(details, new RegExp(`Emitted by ${witness.name}`))
  assert.deepEqual(complaints, [])
})
