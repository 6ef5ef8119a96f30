import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RegistryCensus } from '../core/owned-map.ts'
import { Owner } from '../core/owner.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { registryEvidence } from './registry-evidence.ts'

leakCheck()

const audit = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }
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
const totals = { adopted: 1, released: 0 }

function brokenOf(...registries: readonly RegistryCensus[]): readonly string[] {
  const { invariants = [] } = registryEvidence({
    registries,
    resources: [],
    totals: { adopted: registries.length, released: 0 },
  })
  return invariants
    .filter(({ isBroken }) => isBroken)
    .map(({ name, owner, actual, expected }) => `${name} ${owner} ${actual}/${expected}`)
}

test('a registry span: has the bound, the bands and the counts of releases by reason', () => {
  const { children, attributes } = registryEvidence({ registries: [registry], resources: [], totals })
  assert.equal(attributes?.['mesh.registry.peers.size'], 12)
  const [span] = children?.(audit) ?? []
  assert.equal(span?.span, 'mesh.audit.peers')
  assert.deepEqual(span?.attributes, {
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
  })
})

test('a registry that never had an entry: has a size, and no span', () => {
  const unused = { ...registry, size: 0, added: 0, released: 0 }
  const { children, attributes } = registryEvidence({ registries: [unused], resources: [], totals })
  assert.deepEqual(children?.(audit), [])
  assert.equal(attributes?.['mesh.registry.peers.size'], 0)
})

test('an entry that vanished without its release: breaks the conservation of its registry', () => {
  assert.deepEqual(brokenOf(registry), [])
  assert.deepEqual(brokenOf({ ...registry, size: 11 }), ['registry-conserved node/ledger peers 11/12'])
})

test('an owner that adopts and releases: its totals agree with what it holds, children and timers included', () => {
  const clock = new VirtualClock()
  const owner = new Owner('node', clock)
  const check = () => {
    const { attributes, invariants = [] } = registryEvidence(owner.inventory())
    assert.deepEqual(
      invariants.filter(({ isBroken }) => isBroken),
      [],
    )
    return attributes
  }
  const child = owner.child('network')
  child.after(10, () => {})
  child.after(20, () => {})
  const cancel = owner.after(30, () => {})
  void owner.adopt('socket', () => {})
  assert.deepEqual(check()?.['mesh.audit.owned'], [
    'node/network timer 2',
    'node owner 1',
    'node timer 1',
    'node resource 1',
  ])
  clock.advance(10)
  cancel()
  check()
  void child.close()
  const after = check()
  assert.deepEqual([after?.['mesh.audit.adopted_total'], after?.['mesh.audit.released_total']], [5, 4])
})

test('an item that is held without being counted: breaks the conservation of the owner', () => {
  const { invariants = [] } = registryEvidence({
    registries: [registry],
    resources: [],
    totals: { adopted: 0, released: 0 },
  })
  assert.ok(invariants.some(({ name, isBroken }) => name === 'owned-conserved' && isBroken))
})
