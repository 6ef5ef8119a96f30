import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NetworkEvent } from '../core/events.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { collectNative, listenOn, realNode } from '../testing/suite/real-world.ts'

collectNative()
leakCheck()

test('a seed name with one blocked address: the path report follows the snapshot with the connection', async () => {
  const lookup = () => Promise.resolve(['127.0.0.2', '127.0.0.1'].map((address) => ({ address, family: 4 }) as const))
  const [node, target] = await Promise.all([realNode([listenOn.tcp], { lookup }), realNode([listenOn.tcp])])
  const events: (NetworkEvent & { readonly listed: number })[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  try {
    await target.network.start(() => {})
    await node.network.start((event) => {
      events.push({ ...event, listed: node.network.snapshot().length })
      if (event.type === 'peer.paths' || event.type === 'seed.failed') resolve()
    })
    const seed = target.address.replace('/ip4/127.0.0.1/', '/dns4/seed.test/')
    node.network.perform({ do: 'dial.seed', seed, limitMs: 3_000 })
    await promise
    const paths = events.findIndex(({ type }) => type === 'peer.paths')
    const changed = events.findIndex(({ type, listed }) => type === 'changed' && listed === 1)
    assert.ok(changed >= 0 && changed < paths, events.map(({ type }) => type).join(' '))
    const report = events[paths]
    assert.ok(report?.type === 'peer.paths')
    assert.deepEqual([report.peer, report.worked.length, report.failed.length], [target.network.self, 1, 1])
    assert.equal(report.failed[0]?.errorType, 'ECONNREFUSED')
  } finally {
    await Promise.all([node.stop(), target.stop()])
  }
})
