import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../../testing/for-all.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { type Credential, clockToleranceMs } from './credential.ts'
import { nextList, type RevocationList, Revocations } from './revocations.ts'

leakCheck()

const credentialOf = (authority: string, id: string): Credential => ({
  authority,
  peer: 'p',
  mesh: 'm',
  roles: ['compute'],
  notBeforeMs: 0,
  expiresMs: 1_000,
  id,
})
const listOf = (authority: string, number: number, ...ids: string[]): RevocationList => ({
  authority,
  number,
  revoked: new Map(ids.map((id) => [id, 1_000])),
})

test('a listed credential: revoked, at its own authority alone', () => {
  const revocations = new Revocations()
  assert.equal(revocations.accept(listOf('a', 1, 'x')), true)
  assert.equal(revocations.isRevoked(credentialOf('a', 'x')), true)
  assert.equal(revocations.isRevoked(credentialOf('a', 'y')), false)
  assert.equal(revocations.isRevoked(credentialOf('b', 'x')), false)
})

test('an older list, or the same again: refused, so that nobody brings a revoked credential back', () => {
  const revocations = new Revocations()
  revocations.accept(listOf('a', 2, 'x'))
  assert.equal(revocations.accept(listOf('a', 1)), false)
  assert.equal(revocations.accept(listOf('a', 2)), false)
  assert.equal(revocations.isRevoked(credentialOf('a', 'x')), true)
})

test('lists in any order: the newest of each authority remains', (t) => {
  const lists = fc.array(fc.tuple(fc.constantFrom('a', 'b'), fc.nat(20)))
  return forAll({ t }, [lists], (some) => {
    const revocations = new Revocations()
    for (const [authority, number] of some) revocations.accept(listOf(authority, number, `${number}`))
    for (const authority of ['a', 'b']) {
      const newest = Math.max(-1, ...some.filter(([one]) => one === authority).map(([, number]) => number))
      assert.equal(revocations.list(authority)?.number ?? -1, newest)
      if (newest >= 0) assert.equal(revocations.isRevoked(credentialOf(authority, `${newest}`)), true)
    }
  })
})

test('an authority that the node no longer trusts: its list goes', () => {
  const revocations = new Revocations()
  revocations.accept(listOf('a', 1, 'x'))
  revocations.accept(listOf('b', 1, 'x'))
  revocations.retainAuthorities(['b'])
  assert.deepEqual([revocations.list('a'), revocations.list('b')?.number], [undefined, 1])
})

test('the next list: a higher number, and no credential that has expired by every tolerated clock', () => {
  const next = nextList(listOf('a', 4, 'old'), new Map([['new', 9_000_000_000]]), 1_000 + 2 * clockToleranceMs)
  assert.equal(next.number, 5)
  assert.deepEqual([...next.revoked.keys()], ['new'])
  const soon = nextList(listOf('a', 4, 'old'), new Map(), 999 + 2 * clockToleranceMs)
  assert.deepEqual([...soon.revoked.keys()], ['old'])
})
