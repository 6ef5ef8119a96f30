import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { limits } from '../../core/limits.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { signingAuthorityOf } from './authority.ts'
import { signCredential } from './credential-token.ts'
import { readRevocations, signRevocations } from './revocation-token.ts'

leakCheck()

const authority = await signingAuthorityOf(generateKeyPairSync('ed25519').privateKey)
const other = await signingAuthorityOf(generateKeyPairSync('ed25519').privateKey)
const list = { authority: authority.id, number: 3, revoked: new Map([['c-1', 2_000_000]]) }

test('a signed list: the reader has its number and its entries', async () => {
  assert.deepEqual(await readRevocations(await signRevocations(list, authority), [other, authority]), list)
})

test('the longest list: within the limit, and one entry more is refused', async () => {
  const entries = Array.from(
    { length: limits.revocations },
    (_, index) => [`${index}`.padStart(16, 'x'), 4e12] as const,
  )
  const full = { ...list, revoked: new Map(entries) }
  const token = await signRevocations(full, authority)
  assert.ok(token.length <= limits.revocationBytes, `${token.length} bytes`)
  assert.deepEqual(await readRevocations(token, [authority]), full)
  const more = { ...list, revoked: new Map([...entries, ['one-more', 4e12]]) }
  assert.throws(() => signRevocations(more, authority), RangeError)
})

test('a list of an unknown authority, a changed one, a credential in its place, and junk: none', async () => {
  const token = await signRevocations(list, authority)
  const [head = '', , signature = ''] = token.split('.')
  const changed = Buffer.from(JSON.stringify({ iss: authority.id, number: 9, revoked: [] })).toString('base64url')
  assert.equal(await readRevocations(token, [other]), undefined)
  assert.equal(await readRevocations(`${head}.${changed}.${signature}`, [authority]), undefined)
  const times = { notBeforeMs: 0, expiresMs: 1 }
  const credential = await signCredential({ peer: 'p', mesh: 'm', roles: ['seed'], ...times, id: 'x' }, authority)
  assert.equal(await readRevocations(credential, [authority]), undefined)
  for (const junk of ['', 'a.b.c', 'x'.repeat(limits.revocationBytes + 1)])
    assert.equal(await readRevocations(junk, [authority]), undefined)
})
