import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { namesThisMachine, tokenVerifier } from './guarded-app.ts'

leakCheck()

test('an authorization header: only the complete token is accepted', () => {
  const accepts = tokenVerifier('a-token-of-24-characters')
  assert.ok(accepts('Bearer a-token-of-24-characters'))
  assert.ok(accepts('bearer a-token-of-24-characters'))
  for (const header of [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'a-token-of-24-characters',
    'Basic a-token-of-24-characters',
  ]) {
    assert.ok(!accepts(header), header)
  }
  for (const token of [
    'a-token-of-24-character',
    'a-token-of-24-characters2',
    'A-TOKEN-OF-24-CHARACTERS',
    'x'.repeat(10_000),
  ]) {
    assert.ok(!accepts(`Bearer ${token}`), token)
  }
})

test('a host header: only loopback names are this machine', () => {
  for (const host of ['127.0.0.1', '127.0.0.1:8080', 'localhost:1', '[::1]:8080'])
    assert.ok(namesThisMachine(host), host)
  for (const host of [undefined, '', 'example.org', 'localhost.example.org:80', '10.0.0.1:80']) {
    assert.ok(!namesThisMachine(host), host)
  }
})
