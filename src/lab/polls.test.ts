import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import type { LabNode } from './lab-node.ts'
import { pollTopologies } from './polls.ts'

// The pool of `fetch` keeps a connection for some seconds after its last use.
leakCheck({ graceMs: 8_000 })

test('nodes that hang: polling ends within its limit, and their topologies are cleared', async (t) => {
  const server = createServer((request, response) => {
    if (request.url === '/fine/api/topology') response.end('{"peers":[]}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const node = (path: string) =>
    ({ state: 'running', adminUrl: `${url}/${path}`, topology: { peers: [1] }, failedPolls: 0 }) as unknown as LabNode
  const [fine, ...hanging] = [node('fine'), ...Array.from({ length: 20 }, () => node('hangs'))]
  const startedAt = performance.now()
  await pollTopologies([fine as LabNode, ...hanging], 700)
  assert.ok(performance.now() - startedAt < 3_000, 'twenty times 5 s, by four at once, would be 25 s')
  assert.deepEqual(fine?.topology, { peers: [] })
  assert.deepEqual([hanging[0]?.topology, hanging[0]?.failedPolls], [undefined, 1])
})
