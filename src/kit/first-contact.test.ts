import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NetworkEvent } from '../core/events.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { collectNative, listenOn, realNode } from '../testing/real-world.ts'

collectNative()
leakCheck()

test('what a dial of a seed’s name finds blocked is delivered when the connection is listed already', async () => {
  const lookup = () => Promise.resolve(['127.0.0.2', '127.0.0.1'].map((address) => ({ address, family: 4 }) as const))
  const [node, target] = await Promise.all([realNode([listenOn.tcp], { lookup }), realNode([listenOn.tcp])])
  const heard: (NetworkEvent & { readonly listed: number })[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  try {
    await target.network.start(() => {})
    await node.network.start((event) => {
      heard.push({ ...event, listed: node.network.snapshot().length })
      if (event.type === 'peer.paths' || event.type === 'seed.failed') resolve()
    })
    const seed = target.address.replace('/ip4/127.0.0.1/', '/dns4/seed.test/')
    node.network.perform({ do: 'dial.seed', seed, limitMs: 3_000 })
    await promise
    const paths = heard.findIndex(({ type }) => type === 'peer.paths')
    const changed = heard.findIndex(({ type, listed }) => type === 'changed' && listed === 1)
    assert.ok(changed >= 0 && changed < paths, heard.map(({ type }) => type).join(' '))
    const found = heard[paths]
    assert.ok(found?.type === 'peer.paths')
    assert.deepEqual([found.peer, found.worked.length, found.failed.length], [target.network.self, 1, 1])
    assert.equal(found.failed[0]?.errorType, 'ECONNREFUSED')
  } finally {
    await Promise.all([node.stop(), target.stop()])
  }
})
