import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { namesThisMachine, tokenVerifier } from './guarded-app.ts'

leakCheck()

test('an authorization header: only the complete token is accepted', () => {
  const token = 'a-token-of-24-characters'
  const accepts = tokenVerifier(token)
  for (const header of [`Bearer ${token}`, `bearer ${token}`]) assert.ok(accepts(header), header)
  for (const header of [undefined, '', 'Bearer', 'Bearer ', token, `Basic ${token}`])
    assert.ok(!accepts(header), header)
  for (const other of [token.slice(0, -1), `${token}2`, token.toUpperCase(), 'x'.repeat(10_000)])
    assert.ok(!accepts(`Bearer ${other}`), other)
})

test('a host header: only loopback names are this machine', () => {
  for (const host of ['127.0.0.1', '127.0.0.1:8080', 'localhost:1', '[::1]:8080'])
    assert.ok(namesThisMachine(host), host)
  for (const host of [undefined, '', 'example.org', 'localhost.example.org:80', '10.0.0.1:80']) {
    assert.ok(!namesThisMachine(host), host)
  }
})
