import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { RegistryCensus } from '../core/owned-map.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { idleCensus } from '../testing/otlp/memory-telemetry.ts'
import { seededRandom } from '../testing/random.ts'
import { type CensusInput, censusSpans, type LedgerLink, type OpenConnection } from './census.ts'
import { graceMs, maxSuspects, maxUnsettledMs } from './findings.ts'

leakCheck()

const window = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }
const old = Math.max(graceMs, maxUnsettledMs)

const registry: RegistryCensus = {
  name: 'peers',
  owner: 'node/ledger',
  size: 12,
  capacity: 300,
  highWaterMark: 20,
  added: 50,
  released: 38,
  byReason: { replaced: 1, removed: 30, expired: 4, evicted: 2, closed: 1 },
  oldestMs: 90_000,
}

function link(connection: string, over: Partial<LedgerLink> = {}): LedgerLink {
  return { connection, peer: `peer of ${connection}`, state: 'joined', ageMs: old, stateMs: old, ...over }
}

function connection(id: string, over: Partial<OpenConnection> = {}): OpenConnection {
  return { id, peer: `peer of ${id}`, ageMs: old, ...over }
}

function census(over: Partial<CensusInput> = {}): SpanEffect[] {
  const input: CensusInput = {
    inventory: { registries: [registry], resources: [] },
    links: [link('c1')],
    connections: [connection('c1')],
    counts: { peers: 1, members: 2 },
    libp2p: idleCensus.libp2p,
    frames: { in: 6, out: 7, refused: 8 },
    vitals: {
      memoryBytes: 94_371_840,
      heapBytes: 31_457_280,
      cpuSeconds: 4.5,
      loopDelayP99: 0.001,
      loopDelayMax: 0.002,
      sockets: 9,
      timers: 10,
    },
    sweeps: 13,
    telemetry: { queued: 11, lostTotal: 12, sampledOut: 14 },
    ...over,
  }
  return censusSpans(input, window, seededRandom(1))
}

const named = (spans: readonly SpanEffect[], span: SpanEffect['span']) =>
  spans.filter((effect) => effect.span === span).map(({ attributes }) => attributes as Record<string, unknown>)

/** Its broken invariants, each as `name: actual instead of expected`. */
const brokenInvariants = (spans: readonly SpanEffect[]) =>
  named(spans, 'mesh.leak.suspected').map(
    ({ 'mesh.invariant': name, 'mesh.actual': actual, 'mesh.expected': expected }) =>
      `${name}: ${actual} instead of ${expected}`,
  )

test('all layers agree: the census is consistent and has no suspects', () => {
  const spans = census()
  const names = spans.map(({ span }) => span)
  assert.deepEqual(names, ['mesh.audit', 'mesh.audit.peers'])
  assert.equal(named(spans, 'mesh.audit')[0]?.['mesh.audit.verdict'], 'consistent')
})

test('spans of a census: are children of `mesh.audit`, which is a child of the window', () => {
  const [audit, ...children] = census({ connections: [] })
  assert.deepEqual(audit?.parent, window)
  assert.equal(audit?.ref?.traceId, window.traceId)
  for (const child of children) assert.deepEqual(child.parent, audit?.ref)
  assert.ok(children.length >= 2)
})

test('a registry span: has the bound, the bands and the counts of releases by reason', () => {
  assert.deepEqual(named(census(), 'mesh.audit.peers'), [
    {
      'mesh.registry.name': 'peers',
      'mesh.registry.owner': 'node/ledger',
      'mesh.registry.size': 12,
      'mesh.registry.size_band': '8-63',
      'mesh.registry.capacity': 300,
      'mesh.registry.high': 20,
      'mesh.registry.added': 50,
      'mesh.registry.released': 38,
      'mesh.registry.replaced': 1,
      'mesh.registry.removed': 30,
      'mesh.registry.expired': 4,
      'mesh.registry.evicted': 2,
      'mesh.registry.closed': 1,
      'mesh.registry.oldest_band': '1m-10m',
    },
  ])
})

test('a connection missing in the ledger: is a suspect after the grace period', () => {
  const young = census({ connections: [connection('c1'), connection('c2', { ageMs: graceMs - 1 })] })
  assert.deepEqual(named(young, 'mesh.audit.suspect'), [])
  const spans = census({ connections: [connection('c1'), connection('c2', { ageMs: 3_600_000 })] })
  assert.equal(named(spans, 'mesh.audit')[0]?.['mesh.audit.verdict'], 'differs')
  assert.deepEqual(named(spans, 'mesh.audit.suspect'), [
    {
      'mesh.connection.id': 'c2',
      'mesh.peer.id': 'peer of c2',
      'mesh.suspect.reason': 'unowned',
      'mesh.connection.age_band': '1h-6h',
    },
  ])
  assert.deepEqual(brokenInvariants(spans), ['connections-in-ledger: 2 instead of 1'])
})

test('a link without an open connection: breaks the same invariant', () => {
  const spans = census({ connections: [] })
  assert.deepEqual(brokenInvariants(spans), ['connections-in-ledger: 0 instead of 1'])
})

test('a superseded link that stays open and one that never settles: are suspects, but break no invariant', () => {
  const links = [link('c1', { state: 'superseded' }), link('c2', { state: 'unsettled' })]
  const spans = census({ links, connections: [connection('c1'), connection('c2')] })
  const reasons = named(spans, 'mesh.audit.suspect').map((attributes) => attributes['mesh.suspect.reason'])
  assert.deepEqual(reasons, ['superseded-open', 'unsettled-old'])
  assert.deepEqual(brokenInvariants(spans), [])
})

test('two links of one pair: two settled ones break an invariant, a settled and a superseded one do not', () => {
  const both = [connection('c1'), connection('c2')]
  const two = census({ links: [link('c1', { peer: 'p' }), link('c2', { peer: 'p' })], connections: both })
  assert.deepEqual(brokenInvariants(two), ['one-link-per-pair: 2 instead of 1'])
  const draining = [link('c1', { peer: 'p' }), link('c2', { peer: 'p', state: 'superseded', stateMs: 0 })]
  assert.deepEqual(brokenInvariants(census({ links: draining, connections: both })), [])
})

test('several connections to one guest: break an invariant unless they belong to the application', () => {
  const both = [connection('c1'), connection('c2')]
  const guests = (shared: boolean) => ['c1', 'c2'].map((id) => link(id, { peer: 'p', state: 'guest', shared }))
  assert.deepEqual(brokenInvariants(census({ links: guests(true), connections: both })), [])
  assert.deepEqual(brokenInvariants(census({ links: guests(false), connections: both })), [
    'one-link-per-pair: 2 instead of 1',
  ])
})

test('a registry above its capacity: breaks an invariant', () => {
  const spans = census({ inventory: { registries: [{ ...registry, size: 301 }], resources: [] } })
  assert.deepEqual(brokenInvariants(spans), ['registry-bound: 301 instead of 300'])
})

test('more suspects than the maximum: the oldest get a span, and the invariant has the true number', () => {
  const connections = Array.from({ length: 500 }, (_, i) => connection(`x${i}`, { ageMs: old + i }))
  const spans = census({ links: [], connections })
  const suspects = named(spans, 'mesh.audit.suspect')
  assert.equal(suspects.length, maxSuspects)
  assert.equal(suspects[0]?.['mesh.connection.id'], 'x499')
  assert.equal(named(spans, 'mesh.leak.suspected')[0]?.['mesh.actual'], 500)
})
