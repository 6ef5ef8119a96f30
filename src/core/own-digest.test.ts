import assert from 'node:assert/strict'
import { beforeEach, suite, test } from 'node:test'
import { helloOf, infoOf, joinLink, makeLedger } from '../testing/core/node-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import type { ConnectionLedger } from './connection-ledger.ts'
import type { NetworkEffect } from './events.ts'
import { OwnDigest, type Reach } from './own-digest.ts'

leakCheck()

suite('the own digest', () => {
  const random = seededRandom(1)
  let ledger: ConnectionLedger
  let reach: Reach = 'linked'
  let digest: OwnDigest

  beforeEach(() => {
    reach = 'linked'
    ledger = makeLedger({ random })
    const periods = { digestMs: 2_000, gossipDigestMs: 10_000, stalenessMs: 30_000 }
    const options = { ...helloOf({ name: 'self' }), ...periods, self: 'self', instance: 'one', random }
    digest = new OwnDigest(options, ledger, () => reach)
  })

  /** A joined outbound link to each of these peers. */
  const link = (...peers: string[]) => addLinks('outbound', peers)

  function addLinks(direction: 'inbound' | 'outbound', peers: readonly string[]): void {
    const connections = peers.map((peer) => infoOf({ id: peer, peer, direction }))
    ledger.handle({ type: 'observed', connections }, 0)
    for (const peer of peers) joinLink(ledger, peer)
  }

  const kinds = (effects: NetworkEffect[]) =>
    effects.map((effect) => (effect.do === 'send' ? effect.frame.type : effect.do))

  test('goes out in full to a new link at once, then as "unchanged" while nothing changes', () => {
    link('a')
    assert.deepEqual(kinds(digest.handle({ type: 'joined', peer: 'a' }, 0)), ['digest'])
    const links = [0, 2_000, 4_000].map((now) =>
      kinds(digest.handle({ type: 'tick' }, now)).filter((kind) => kind !== 'gossip'),
    )
    assert.deepEqual(links, [['unchanged'], ['unchanged'], ['unchanged']])
  })

  test('goes out in full after a change, and at least once a window', () => {
    link('a')
    digest.handle({ type: 'joined', peer: 'a' }, 0)
    digest.handle({ type: 'tick' }, 0)
    digest.handle({ type: 'profile', topics: ['news'], addresses: [] }, 1_000)
    assert.ok(kinds(digest.handle({ type: 'tick' }, 2_000)).includes('digest'))
    assert.ok(kinds(digest.handle({ type: 'tick' }, 4_000)).includes('unchanged'))
    assert.ok(kinds(digest.handle({ type: 'tick' }, 32_000)).includes('digest'))
  })

  test('has an increasing sequence across links and gossip', () => {
    link('a', 'b')
    const sequences: number[] = []
    for (let now = 0; now < 30_000; now += 2_000) {
      for (const effect of digest.handle({ type: 'tick' }, now)) {
        if (effect.do === 'gossip') sequences.push(effect.digest.sequence)
        else if (effect.do === 'send' && effect.frame.type === 'unchanged') sequences.push(effect.frame.sequence)
      }
    }
    assert.deepEqual(
      sequences,
      sequences.toSorted((a, b) => a - b),
    )
    assert.ok(new Set(sequences).size > 10)
  })

  test('answers the dialler of a link at once, and follows its own interval only if the dialler is silent', () => {
    addLinks('inbound', ['a'])
    digest.handle({ type: 'joined', peer: 'a' }, 0)
    digest.handle({ type: 'tick' }, 0)
    const answers = [500, 2_500, 2_600, 4_500].map((now) => digest.handle({ type: 'heard', peer: 'a' }, now).length)
    assert.deepEqual(answers, [0, 1, 0, 1], 'not more often than by its own interval')
    const rounds = [5_000, 7_000].map((now) =>
      kinds(digest.handle({ type: 'tick' }, now)).filter((kind) => kind !== 'gossip'),
    )
    assert.deepEqual(rounds, [[], ['unchanged']])
  })

  test('is not sent early when the dialled peer sends its own', () => {
    link('a')
    digest.handle({ type: 'joined', peer: 'a' }, 0)
    assert.deepEqual(digest.handle({ type: 'heard', peer: 'a' }, 1_900), [])
  })

  /** Times of gossip digests, in seconds. */
  function gossipTimes(forMs: number): number[] {
    const at: number[] = []
    for (let now = digest.deadline(); now <= forMs; now = digest.deadline()) {
      if (kinds(digest.handle({ type: 'tick' }, now)).includes('gossip')) at.push(now / 1_000)
    }
    return at
  }

  test('goes over gossip every 10 s with unlinked members, rarely if all are linked', () => {
    link('a')
    assert.ok(gossipTimes(300_000).length <= 7)
    reach = 'unreached'
    const busy = gossipTimes(600_000)
    assert.ok(busy.length >= 25 && busy.length <= 36, `${busy.length} in 300 s`)
  })

  test('goes over gossip once a minute if neighbours vouch, and every 10 s for a minute after a change', () => {
    link('a')
    reach = 'vouched'
    digest.handle({ type: 'joined', peer: 'a' }, 0)
    const first = gossipTimes(60_000).length
    assert.ok(first >= 5 && first <= 8, `${first} in the first minute`)
    const later = gossipTimes(660_000).length
    assert.ok(later >= 9 && later <= 13, `${later} in ten minutes`)
    digest.handle({ type: 'profile', topics: ['news'], addresses: [] }, 660_000)
    const news = gossipTimes(720_000).length
    assert.ok(news >= 5 && news <= 8, `${news} in the minute after news`)
  })

  test('announces an interval that the node keeps', () => {
    link('a')
    reach = 'vouched'
    let before: { at: number; intervalMs: number } | undefined
    for (let now = digest.deadline(); now <= 900_000; now = digest.deadline()) {
      for (const effect of digest.handle({ type: 'tick' }, now)) {
        if (effect.do !== 'gossip') continue
        if (before !== undefined) assert.ok(now - before.at <= 1.2 * before.intervalMs, `at ${now}`)
        before = { at: now, intervalMs: effect.digest.intervalMs }
      }
    }
    assert.equal(before?.intervalMs, 60_000)
  })

  test('goes over gossip soon after a new member, and not twice within 2 s', () => {
    link('a')
    digest.handle({ type: 'tick' }, 0)
    for (const now of [100, 200, 300]) digest.handle({ type: 'member.discovered' }, now)
    const at = gossipTimes(8_000)
    assert.equal(at.length, 1)
    assert.ok((at[0] ?? 0) >= 0.3 && (at[0] ?? 0) <= 3, `at ${at[0]} s`)
  })

  test('is not gossiped without peers', () => {
    reach = 'unreached'
    assert.deepEqual(gossipTimes(60_000), [])
  })
})
