import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConnectionInfo } from '../core/events.ts'
import { enter, Link } from '../core/link.ts'
import { PeerRecord } from '../core/peer-records.ts'
import { infoOf } from '../testing/core/node-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { graceMs, linkEvidence, maxUnsettledMs, type OpenConnection } from './link-evidence.ts'

leakCheck()

const now = 10 * maxUnsettledMs
const openedSpan = { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16) }

type State = 'joined' | 'guest' | 'unsettled' | 'draining' | 'closing'

/** A link that opened long ago, or `ageMs` ago, and has been in its state since. */
function link(id: string, state: State, change: Partial<ConnectionInfo> & { readonly ageMs?: number } = {}): Link {
  const { ageMs = maxUnsettledMs, ...info } = change
  const made = new Link(infoOf({ id, peer: `peer of ${id}`, ...info }), now - ageMs)
  made.openedSpan = openedSpan
  if (state === 'joined' || state === 'guest') {
    made.kind = state === 'joined' ? 'member' : 'guest'
    enter(made, 'settled', now - ageMs)
  } else if (state !== 'unsettled') enter(made, state, now - ageMs)
  return made
}

function openOf({ connection, info, openedAt }: Link): OpenConnection {
  const { peer, direction, address } = info
  return { id: connection, peer, direction, address, ageMs: now - openedAt, isRelayed: info.isLimited === true }
}

interface Case {
  readonly links: readonly Link[]
  readonly refused?: readonly Link[]
  readonly open?: readonly OpenConnection[]
  readonly opened?: number
}

function evidence({ links, refused = [], open = [...links, ...refused].map(openOf), opened = links.length + 7 }: Case) {
  const records = [...Map.groupBy(links, ({ info }) => info.peer)].map(([peer, ofPeer]) =>
    Object.assign(new PeerRecord(peer), { links: ofPeer }),
  )
  const counts = { opened, closed: { stopping: 4, silent: 3 }, refused: { limit: refused.length } }
  const {
    attributes = {},
    invariants = [],
    suspects = [],
  } = linkEvidence({ records: () => records, refused: () => refused, counts }, open, now)
  const broken = invariants.filter(({ isBroken }) => isBroken)
  return {
    attributes,
    broken: broken.map(({ name, actual, expected }) => `${name}: ${actual} instead of ${expected}`),
    ids: broken.flatMap(({ ids = [] }) => ids),
    suspects: suspects.map(({ connection, reason }) => `${connection} ${reason}`),
    links: suspects.map((suspect) => suspect.openedSpan),
  }
}

test('links in every state: are counted by state, and opened less closed is their sum', () => {
  const states = ['joined', 'joined', 'guest', 'unsettled', 'draining', 'closing'] as const
  const { attributes, broken } = evidence({ links: states.map((state, i) => link(`c${i}`, state, { ageMs: 0 })) })
  assert.deepEqual(broken, [])
  assert.deepEqual(attributes, {
    'mesh.audit.links': 2,
    'mesh.audit.guests': 1,
    'mesh.audit.unsettled': 1,
    'mesh.audit.draining': 1,
    'mesh.audit.closing': 1,
    'mesh.audit.opened_total': 13,
    'mesh.audit.closed_total': 7,
    'mesh.audit.closed.stopping': 4,
    'mesh.audit.closed.silent': 3,
    'mesh.audit.refused_total': 0,
    'mesh.audit.connections': 6,
  })
})

test('refused connections: are counted by reason', () => {
  const { attributes } = evidence({ links: [], refused: [link('c1', 'closing'), link('c2', 'closing')] })
  assert.equal(attributes['mesh.audit.refused_total'], 2)
  assert.equal(attributes['mesh.audit.refused.limit'], 2)
  assert.equal(attributes['mesh.audit.refused.duplicate'], undefined)
})

test('a link that left the ledger without a close: breaks the conservation at once', () => {
  assert.deepEqual(evidence({ links: [link('c1', 'joined')], opened: 9 }).broken, [
    'connections-conserved: 1 instead of 2',
  ])
})

test('a connection missing in the ledger: is a suspect after the grace period', () => {
  const c1 = link('c1', 'joined')
  const stray = (ageMs: number) => ({ ...openOf(link('c2', 'joined')), ageMs })
  assert.deepEqual(evidence({ links: [c1], open: [openOf(c1), stray(graceMs - 1)] }).suspects, [])
  const { suspects, broken, ids } = evidence({ links: [c1], open: [openOf(c1), stray(graceMs)] })
  assert.deepEqual(suspects, ['c2 unowned'])
  assert.deepEqual(broken, ['connections-in-ledger: 2 instead of 1'])
  assert.deepEqual(ids, ['c2'])
})

test('a relayed connection beyond the limit: is in no ledger, and no suspect', () => {
  const { suspects, broken } = evidence({ links: [], open: [openOf(link('r', 'guest', { isLimited: true }))] })
  assert.deepEqual([suspects, broken], [[], []])
})

test('a link without an open connection: breaks the same invariant', () => {
  assert.deepEqual(evidence({ links: [link('c1', 'joined')], open: [] }).broken, [
    'connections-in-ledger: 0 instead of 1',
  ])
})

test('connections that should have closed, each linked to its opening: are suspects', () => {
  const old = [link('c1', 'draining'), link('c2', 'closing'), link('c3', 'unsettled')]
  const { suspects, links } = evidence({ links: old, refused: [link('c4', 'closing')] })
  assert.deepEqual(suspects, ['c1 superseded-open', 'c2 closing-open', 'c3 unsettled-old', 'c4 refused-open'])
  assert.deepEqual(links, [openedSpan, openedSpan, openedSpan, openedSpan])
  const young = [link('c1', 'draining', { ageMs: graceMs - 1 }), link('c3', 'unsettled', { ageMs: graceMs })]
  assert.deepEqual(evidence({ links: young }).suspects, [])
})

test('a close that the node retries: does not make the suspect young again', () => {
  const closing = link('c1', 'closing')
  closing.ending = { reason: 'superseded', by: 'us', goodbye: 'none', trace: undefined }
  enter(closing, 'closing', now - 1)
  assert.deepEqual(evidence({ links: [closing] }).suspects, ['c1 superseded-open'])
})

test('several open connections of one pair, whatever their state: break an invariant after the grace period', () => {
  const peer = 'p'
  for (const state of ['joined', 'guest', 'draining', 'closing'] as const) {
    const pair = (ageMs: number) => [link('c1', 'joined', { peer }), link('c2', state, { peer, ageMs })]
    const { broken, ids } = evidence({ links: pair(graceMs) })
    assert.deepEqual(broken, ['one-link-per-pair: 2 instead of 1'], state)
    assert.deepEqual(ids, [peer, 'c1', 'c2'])
    assert.deepEqual(evidence({ links: pair(graceMs - 1) }).broken, [], state)
  }
})

test('several connections to one guest: break it unless they belong to the application', () => {
  const guests = (isForeign: boolean) => ['c1', 'c2'].map((id) => link(id, 'guest', { peer: 'p', isForeign }))
  assert.deepEqual(evidence({ links: guests(true) }).broken, [])
  assert.deepEqual(evidence({ links: guests(false) }).broken, ['one-link-per-pair: 2 instead of 1'])
})
