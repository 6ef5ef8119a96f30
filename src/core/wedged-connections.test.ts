import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { infoOf, makeLedger } from '../testing/core/node-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'
import type { ConnectionInfo } from './events.ts'
import type { LedgerEffect } from './ledger-events.ts'

leakCheck()

/** A ledger with the one connection `1`, in which the peer is a guest from 100 ms on. */
function withGuest(changes: Partial<ConnectionInfo> = {}, watchdog = true) {
  const ledger = makeLedger({ watchdog })
  const info = infoOf({ id: '1', transport: 'quic', ...changes })
  ledger.handle({ type: 'observed', connections: [info] }, 0)
  ledger.handle({ type: 'stream.absent', connection: '1' }, 100)
  const tick = (now: number) => ledger.handle({ type: 'tick' }, now)
  const answer = (hasOpened: boolean, now: number) =>
    ledger.handle({ type: 'stream.checked', connection: '1', hasOpened }, now)
  const slow = (now: number) =>
    ledger.handle({ type: 'stream.slow', connection: '1', protocol: '/meshsub/', waitedMs: 3_000 }, now)
  return { ledger, info, tick, answer, slow }
}

const check = { do: 'check', connection: '1', limitMs: 5_000 }
const abort = { do: 'close', connection: '1', abort: true }
const checksIn = (effects: readonly LedgerEffect[]) => effects.filter((effect) => effect.do === 'check')
const closesIn = (effects: readonly LedgerEffect[]) => effects.filter((effect) => effect.do === 'close')

function wedgesIn(effects: readonly LedgerEffect[]) {
  return effects.flatMap((effect) =>
    effect.do === 'emit-span' && effect.span === 'mesh.connection.wedged' ? [effect.attributes] : [],
  )
}

suite('a guest', () => {
  test('whose streams open: checked every 8 s, and nothing is emitted or closed', () => {
    const { tick, answer } = withGuest()
    for (let at = 8_000; at < 80_000; at += 8_000) {
      assert.deepEqual(checksIn(tick(at)), [check])
      assert.deepEqual(checksIn(tick(at + 1)), [], 'one at a time')
      assert.deepEqual(answer(true, at), [])
    }
  })

  test('whose streams open no more: reported and aborted 13 s after it at the latest', () => {
    const { tick, answer } = withGuest()
    assert.deepEqual(checksIn(tick(8_000)), [check])
    const effects = answer(false, 13_000)
    assert.deepEqual(wedgesIn(effects), [
      {
        'mesh.connection.id': '1',
        'mesh.peer.id': 'p',
        'mesh.connection.transport': 'quic',
        'mesh.connection.kind': 'guest',
        'mesh.wedge.protocol': '/ipfs/ping/1.0.0',
        'mesh.wedge.waited_ms': 5_000,
        'mesh.wedge.aborts': true,
      },
    ])
    assert.deepEqual(closesIn(effects), [abort])
    assert.deepEqual(answer(false, 14_000), [], 'once')
  })

  test('on a connection of the application: not checked at intervals; a wedge is reported, and it stays', () => {
    const { tick, answer, slow } = withGuest({ isForeign: true })
    assert.deepEqual(checksIn(tick(60_000)), [])
    assert.deepEqual(checksIn(slow(60_000)), [check])
    const effects = answer(false, 65_000)
    assert.deepEqual(
      wedgesIn(effects).map((wedge) => wedge['mesh.wedge.aborts']),
      [false],
    )
    assert.deepEqual(closesIn(effects), [])
  })

  test('without the watchdog: no stream is opened to see, at no interval and after no slow stream', () => {
    const { ledger, tick, slow } = withGuest({}, false)
    assert.equal(checksIn([...tick(8_000), ...tick(60_000), ...slow(60_000)]).length, 0)
    assert.ok((ledger.deadline() ?? Infinity) > 60_000, 'the ledger does not wake for it')
  })

  test('checked while this node slept: no result', () => {
    const { ledger, tick, answer } = withGuest()
    tick(8_000)
    ledger.handle({ type: 'slept', ms: 45_000 }, 58_000)
    assert.deepEqual(answer(false, 58_000), [])
  })
})

suite('a connection', () => {
  test('with a slow stream: checked at once, and the span has the protocol and the whole wait', () => {
    const { slow, answer } = withGuest()
    assert.deepEqual(checksIn(slow(4_000)), [check])
    assert.deepEqual(checksIn(slow(5_000)), [], 'one at a time')
    const [wedge] = wedgesIn(answer(false, 9_000))
    assert.deepEqual([wedge?.['mesh.wedge.protocol'], wedge?.['mesh.wedge.waited_ms']], ['/meshsub/', 8_000])
  })

  test('that is not identified within 6 s: checked', () => {
    const { ledger, info } = withGuest({ isUnidentified: true })
    const effects = ledger.handle({ type: 'observed', connections: [{ ...info, isUnidentified: true }] }, 6_000)
    assert.deepEqual(checksIn(effects), [check])
    const identified = withGuest()
    assert.deepEqual(
      checksIn(identified.ledger.handle({ type: 'observed', connections: [identified.info] }, 6_000)),
      [],
    )
  })

  test('that closes during its check: the result is ignored', () => {
    const { ledger, tick, answer } = withGuest()
    tick(8_000)
    ledger.handle({ type: 'observed', connections: [] }, 9_000)
    assert.deepEqual(answer(false, 13_000), [])
  })
})
