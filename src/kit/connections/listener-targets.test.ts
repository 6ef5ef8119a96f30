import assert from 'node:assert/strict'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { countListeners } from '../../evidence/listeners.ts'
import type { ListenerTargets } from '../../evidence/process-evidence.ts'
import { until } from '../../processes/waiting.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { collectNative, listenOn, realNode } from '../../testing/suite/real-world.ts'
import type { TracemeshComponents } from '../components.ts'
import { ListenerTargetReader } from './listener-targets.ts'

collectNative()
leakCheck()

test('planted listeners on libp2p, gossipsub, a connection and signals: each shows in its group, and none after', async () => {
  await using a = await realNode([listenOn.quic, listenOn.tcp])
  await using b = await realNode([listenOn.tcp])
  const { pubsub } = a.libp2p.services
  const components = a.components as TracemeshComponents
  const child = a.owner.child('child')
  const reader = new ListenerTargetReader(components, pubsub, a.owner)
  const count = (group: keyof ListenerTargets, now = 0) => countListeners(reader.read(now)[group])
  const clean = { lasting: count('lasting').total, signals: count('signals').total }
  assert.equal(count('connections').total, 0)
  const connection = await a.libp2p.dial(multiaddr(b.address))
  await until(() => count('connections').total > 0, 10_000, 'the connection is counted')

  const plant = (target: EventTarget, type: string) => {
    const listeners = Array.from({ length: 300 }, () => () => {})
    for (const listener of listeners) target.addEventListener(type, listener)
    return () => {
      for (const listener of listeners) target.removeEventListener(type, listener)
    }
  }
  const checks = [
    ['lasting', a.components.events, 'peer:update', 'libp2p peer:update'],
    ['lasting', pubsub, 'gossipsub:graft', 'pubsub gossipsub:graft'],
    ['connections', connection, 'close', 'connection close'],
    ['signals', child.signal, 'abort', 'node/child abort'],
    ['signals', dialQueueSignal(components), 'abort', 'libp2p.connectionManager.dialQueue.shutDownController abort'],
  ] as const
  for (const [group, target, type, event] of checks) {
    const remove = plant(target, type)
    const { total, largest } = count(group)
    remove()
    assert.equal(largest?.event, event)
    assert.ok(largest.count >= 300 && total >= 300, `${event}: ${largest.count} of ${total}`)
    assert.ok(count(group).total < 100, `${event}: ${count(group).total} after the removal`)
  }
  const before = count('signals').total
  const late = new AbortController()
  late.signal.addEventListener('abort', () => {})
  Object.assign(components.connectionManager, { late })
  assert.deepEqual([count('signals', 599_999).total, count('signals', 600_000).total], [before, before + 1])
  await connection.close()
  await until(() => count('connections').total === 0, 10_000, 'the closed connection is no longer counted')
  assert.ok(count('lasting').total <= clean.lasting + 5 && count('signals').total <= clean.signals + 5)
})

/** libp2p's own field: if another version has it elsewhere, the search must find it there. */
function dialQueueSignal({ connectionManager }: TracemeshComponents): AbortSignal {
  const { dialQueue } = connectionManager as unknown as {
    readonly dialQueue: { readonly shutDownController: AbortController }
  }
  return dialQueue.shutDownController.signal
}
