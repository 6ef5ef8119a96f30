import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { roles } from '../../catalogue/roles.ts'
import { forAll } from '../../testing/for-all.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { type Claim, type Credential, clockToleranceMs, findFlaw } from './credential.ts'

leakCheck()

const hourMs = 3_600_000
const credential: Credential = {
  authority: 'a',
  peer: 'peer-1',
  mesh: 'mesh-a',
  roles: ['compute', 'gateway'],
  notBeforeMs: 0,
  expiresMs: 24 * hourMs,
  id: '1',
}
const claim: Claim = { peer: 'peer-1', mesh: 'mesh-a', role: 'compute' }
const flawOf = (changes: Partial<Credential & Claim> & { wallMs?: number; revoked?: boolean } = {}) => {
  const { wallMs = hourMs, revoked = false, peer = claim.peer, mesh = claim.mesh, role = claim.role, ...rest } = changes
  return findFlaw({ ...credential, ...rest }, { peer, mesh, role }, wallMs, () => revoked)
}

test('a credential for the peer, the mesh and the role: no flaw', () => {
  assert.equal(flawOf(), undefined)
  assert.equal(flawOf({ role: 'gateway' }), undefined)
})

test('a credential of somebody else, or of another mesh: named as such', () => {
  assert.equal(flawOf({ peer: 'peer-2' }), 'other-peer')
  assert.equal(flawOf({ mesh: 'mesh-b' }), 'other-mesh')
})

test('a role that the credential does not grant: a flaw, except for a seed, which is a plain member then', () => {
  assert.equal(flawOf({ role: 'bridge' }), 'role')
  assert.equal(flawOf({ role: 'seed' }), undefined)
  assert.equal(flawOf({ role: 'seed', roles: [] }), 'role')
})

test('clocks up to two hours apart: valid from two hours before its begin until two hours after its end', () => {
  assert.equal(flawOf({ wallMs: -clockToleranceMs }), undefined)
  assert.equal(flawOf({ wallMs: -clockToleranceMs - 1 }), 'too-early')
  assert.equal(flawOf({ wallMs: 24 * hourMs + clockToleranceMs - 1 }), undefined)
  assert.equal(flawOf({ wallMs: 24 * hourMs + clockToleranceMs }), 'expired')
})

test('a revoked credential: revoked, whatever its times', () => {
  assert.equal(flawOf({ revoked: true }), 'revoked')
  assert.equal(flawOf({ revoked: true, wallMs: 100 * hourMs }), 'revoked')
})

test('any credential and any claim: without a flaw only if peer and mesh are equal and the time is near', (t) => {
  const word = fc.constantFrom('x', 'y')
  const role = fc.constantFrom(...roles)
  const ms = fc.integer({ min: -100 * hourMs, max: 100 * hourMs })
  const any = fc.record({ peer: word, mesh: word, roles: fc.array(role), notBeforeMs: ms, expiresMs: ms })
  const claims = fc.record({ peer: word, mesh: word, role })
  return forAll({ t }, [any, claims, ms], (some, claimed, wallMs) => {
    if (findFlaw({ ...credential, ...some }, claimed, wallMs, () => false) !== undefined) return
    assert.deepEqual([some.peer, some.mesh], [claimed.peer, claimed.mesh])
    assert.ok(wallMs >= some.notBeforeMs - clockToleranceMs && wallMs < some.expiresMs + clockToleranceMs)
    assert.ok(some.roles.includes(claimed.role) || (claimed.role === 'seed' && some.roles.length > 0))
  })
})
