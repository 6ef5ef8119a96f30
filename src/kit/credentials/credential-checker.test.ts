import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import type { Role } from '../../catalogue/roles.ts'
import { clockToleranceMs } from '../../core/credentials/credential.ts'
import { Owner } from '../../core/owner.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { VirtualClock } from '../../testing/sim/virtual-clock.ts'
import { signingAuthorityOf } from './authority.ts'
import { CredentialChecker } from './credential-checker.ts'
import { signCredential } from './credential-token.ts'

leakCheck()

const authority = await signingAuthorityOf(generateKeyPairSync('ed25519').privateKey)
const other = await signingAuthorityOf(generateKeyPairSync('ed25519').privateKey)
const hourMs = 3_600_000

function setUp() {
  const clock = new VirtualClock()
  const owner = new Owner('test', clock)
  const checker = new CredentialChecker({ owner, clock })
  checker.trust([authority])
  const token = (mesh: string, roles: readonly Role[], { peer = 'p', by = authority, id = mesh } = {}) => {
    const times = { notBeforeMs: clock.wall(), expiresMs: clock.wall() + hourMs }
    return signCredential({ peer, mesh, roles, ...times, id }, by)
  }
  const cached = () => owner.inventory().registries.find(({ name }) => name === 'credentials')?.size
  return { clock, checker, token, cached }
}

const member = { peer: 'p', mesh: 'a', role: 'compute' } as const
const bridge = [
  { peer: 'p', mesh: 'a', role: 'bridge' },
  { peer: 'p', mesh: 'b', role: 'bridge' },
] as const

test('a bridge with a credential for each mesh, in any order: both prove its claims', async () => {
  const { checker, token } = setUp()
  const { credentials } = await checker.check(bridge, [await token('b', ['bridge']), await token('a', ['bridge'])])
  assert.deepEqual(
    credentials?.map(({ mesh }) => mesh),
    ['a', 'b'],
  )
})

test('a bridge with a credential for one mesh alone: not proved', async () => {
  const { checker, token } = setUp()
  assert.deepEqual(await checker.check(bridge, [await token('a', ['bridge'])]), { cause: 'other-mesh' })
  const plain = await token('b', ['compute'])
  assert.deepEqual(await checker.check(bridge, [await token('a', ['bridge']), plain]), { cause: 'role' })
})

test('none, that of another peer, of another authority: each with its cause', async () => {
  const { checker, token } = setUp()
  const causeOf = async (...tokens: string[]) => (await checker.check([member], tokens)).cause
  assert.equal(await causeOf(), 'missing')
  assert.equal(await causeOf(''), 'missing')
  assert.equal(await causeOf(await token('a', ['compute'], { peer: 'q' })), 'other-peer')
  assert.equal(await causeOf(await token('a', ['compute'], { by: other })), 'unknown-authority')
  assert.equal(await causeOf(await token('a', ['compute'])), undefined)
})

test('more than two tokens: the further ones are not read', async () => {
  const { checker, token, cached } = setUp()
  const right = await token('a', ['compute'])
  assert.equal((await checker.check([member], ['junk', 'junk', right])).cause, 'malformed')
  assert.equal(cached(), 0)
})

test('a token shown again: from the cache, and expired or revoked all the same', async () => {
  const { clock, checker, token, cached } = setUp()
  const right = await token('a', ['compute'])
  const { credentials = [] } = await checker.check([member], [right])
  assert.equal(cached(), 1)
  checker.revocations.accept({ authority: authority.id, number: 1, revoked: new Map([['a', clock.wall() + hourMs]]) })
  assert.equal((await checker.check([member], [right])).cause, 'revoked')
  checker.revocations.accept({ authority: authority.id, number: 2, revoked: new Map() })
  assert.equal((await checker.check([member], [right])).cause, undefined)
  clock.advance(hourMs + clockToleranceMs)
  assert.equal((await checker.check([member], [right])).cause, 'expired')
  assert.deepEqual(
    credentials.map((one) => checker.findFlaw(one, member)),
    ['expired'],
  )
})

test('no claim to a mesh of this node: nothing is proved, also without a credential', async () => {
  const { checker, token } = setUp()
  assert.deepEqual(await checker.check([], []), { cause: 'other-mesh' })
  assert.deepEqual(await checker.check([], [await token('b', ['compute'])]), { cause: 'other-mesh' })
})

test('junk: not cached', async () => {
  const { checker, token, cached } = setUp()
  const [head, body] = (await token('a', ['compute'])).split('.')
  for (const junk of ['x', `${head}.${body}.AAAA`, await token('a', ['compute'], { by: other })])
    await checker.check([member], [junk])
  assert.equal(cached(), 0)
})

test('rotation: while both authorities are trusted both prove; then the cached one of the first no longer does', async () => {
  const { checker, token } = setUp()
  const [old, young] = [await token('a', ['compute']), await token('a', ['compute'], { by: other })]
  checker.trust([authority, other])
  const { credentials = [] } = await checker.check([member], [old])
  assert.equal((await checker.check([member], [young])).cause, undefined)
  checker.trust([other])
  assert.equal((await checker.check([member], [old])).cause, 'unknown-authority')
  assert.deepEqual(
    credentials.map((one) => checker.findFlaw(one, member)),
    ['unknown-authority'],
  )
  assert.equal((await checker.check([member], [young])).cause, undefined)
})

test('a token that nobody shows for ten minutes: leaves the cache', async () => {
  const { clock, checker, token, cached } = setUp()
  await checker.check([member], [await token('a', ['compute'])])
  clock.advance(540_000)
  assert.equal(cached(), 1)
  clock.advance(180_000)
  assert.equal(cached(), 0)
})
