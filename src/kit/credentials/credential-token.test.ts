import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { roles } from '../../catalogue/roles.ts'
import { limits } from '../../core/limits.ts'
import { forAll } from '../../testing/for-all.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { authorityOfSecret, type SigningAuthority, secretBytes, signingAuthorityOf } from './authority.ts'
import { readCredential, signCredential } from './credential-token.ts'

leakCheck()

const authority = await signingAuthorityOf(generateKeyPairSync('ed25519').privateKey)
const other = await signingAuthorityOf(generateKeyPairSync('ed25519').privateKey)
const content = {
  peer: '12D3KooWJF5drGoTkbtSE8oSQtJPyn2joAU2ESQujB2KouVbrYc5',
  mesh: 'mesh-a',
  roles: ['compute'],
  notBeforeMs: 1_000_000,
  expiresMs: 2_000_000,
  id: 'c-1',
} as const
const token = await signCredential(content, authority)

const coded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const [head = '', body = '', signature = ''] = token.split('.')
const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as Record<string, unknown>
const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>
/** A token of any content, with a valid signature of the authority. */
const forged = (changes: object, headerChanges: object = {}, by: SigningAuthority = authority) => {
  const text = `${coded({ ...header, ...headerChanges })}.${coded({ ...claims, ...changes })}`
  return `${text}.${sign(null, Buffer.from(text), by.privateKey).toString('base64url')}`
}
const flawOf = async (text: string, authorities = [authority]) => {
  const read = await readCredential(text, authorities)
  return 'flaw' in read ? read.flaw : 'none'
}

test('a signed credential: the reader has its content, in whole seconds', async () => {
  const read = await readCredential(token, [other, authority])
  assert.deepEqual(read, { credential: { ...content, authority: authority.id } })
})

test('the longest names and all roles: within the limit', async () => {
  const longest = { ...content, peer: 'x'.repeat(64), mesh: 'm'.repeat(64), roles, id: 'i'.repeat(64) }
  const long = await signCredential(longest, authority)
  assert.ok(long.length <= limits.credentialBytes, `${long.length} bytes`)
  assert.equal(await flawOf(long), 'none')
})

test('no token, a token that is too long, and junk', async () => {
  assert.equal(await flawOf(''), 'missing')
  assert.equal(await flawOf('x'.repeat(limits.credentialBytes + 1)), 'malformed')
  assert.equal(await flawOf('a.b.c'), 'malformed')
  assert.equal(await flawOf(`${head}.${body}`), 'malformed')
})

test('the key of another authority: unknown, and with its id but another signature: bad', async () => {
  assert.equal(await flawOf(await signCredential(content, other)), 'unknown-authority')
  assert.equal(await flawOf(forged({}, {}, other)), 'bad-signature')
  assert.equal(await flawOf(forged({ iss: other.id })), 'malformed')
})

test('a changed claim under the old signature: bad', async () => {
  assert.equal(await flawOf(`${head}.${coded({ ...claims, roles: ['bridge'] })}.${signature}`), 'bad-signature')
})

test('alg none, HS256 with the public key, and another type of token: not read', async () => {
  assert.equal(await flawOf(`${coded({ ...header, alg: 'none' })}.${body}.`), 'malformed')
  const text = `${coded({ ...header, alg: 'HS256' })}.${body}`
  const key = authority.publicKey.export({ format: 'der', type: 'spki' })
  assert.equal(await flawOf(`${text}.${createHmac('sha256', key).update(text).digest('base64url')}`), 'malformed')
  assert.equal(await flawOf(forged({}, { typ: 'JWT' })), 'malformed')
  assert.equal(await flawOf(forged({}, { crit: ['exp'] })), 'malformed')
})

test('claims of a wrong shape, signed: malformed', async () => {
  const wrong = [
    { roles: [] },
    { roles: ['king'] },
    { roles: 'seed' },
    { aud: ['mesh-a', 'mesh-b'] },
    { sub: 7 },
    { exp: 1.5 },
    { nbf: -1 },
    { jti: 'a b' },
    { exp: undefined },
  ]
  for (const changes of wrong) assert.equal(await flawOf(forged(changes)), 'malformed', JSON.stringify(changes))
})

test('one secret: the same authority for all its holders, another one for another mesh or secret', async () => {
  const secret = randomBytes(secretBytes)
  const [one, two, elsewhere] = await Promise.all([
    authorityOfSecret(secret, 'mesh-a'),
    authorityOfSecret(secret, 'mesh-a'),
    authorityOfSecret(secret, 'mesh-b'),
  ])
  assert.equal(one.id, two.id)
  assert.notEqual(one.id, elsewhere.id)
  assert.notEqual(one.id, (await authorityOfSecret(randomBytes(secretBytes), 'mesh-a')).id)
  assert.equal(await flawOf(await signCredential(content, one), [two]), 'none')
  assert.equal(await flawOf(await signCredential(content, one), [elsewhere]), 'unknown-authority')
})

test('the authority of a known secret: a known key, so that versions agree', async () => {
  const { id } = await authorityOfSecret(new Uint8Array(secretBytes).fill(1), 'mesh-a')
  assert.equal(id, 'iUqDNaFIUeUokWHwaJQtHB7UmLRKnje1SNA6yfn_43s')
})

test('any change of one character: never a credential', (t) =>
  forAll({ t, numRuns: 300 }, [fc.nat(token.length - 1), fc.constantFrom(...'ABab01-_.')], async (at, character) => {
    if (token[at] === character) return
    const read = await readCredential(token.slice(0, at) + character + token.slice(at + 1), [authority])
    // The last character of base64url has bits that no byte uses.
    if ('credential' in read) assert.equal(at, token.length - 1)
  }))
