import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { rpcLimit, smallestLimit } from './gossip-limits.ts'

leakCheck()

test('a known agent version: the RPC limit is the default of its implementation', () => {
  assert.equal(rpcLimit('rust-libp2p/0.47.0'), 65_536)
  assert.equal(rpcLimit('github.com/libp2p/go-libp2p@v0.51.0'), 1_048_576)
  assert.equal(rpcLimit('js-libp2p/3.3.11 UserAgent=node'), 4_194_304)
  assert.equal(rpcLimit('tracemesh/0.1.0'), 4_194_304)
})

test('an unknown or missing agent version: the RPC limit is 1 MiB', () => {
  assert.equal(rpcLimit('kubo/0.30.0/'), 1_048_576)
  assert.equal(rpcLimit(undefined), 1_048_576)
})

test('overrides win over the defaults, in their order', () => {
  const overrides = [
    { agent: 'kubo', bytes: 2_000_000 },
    { agent: 'JS-libp2p', bytes: 100_000 },
    { agent: 'js', bytes: 50_000 },
  ]
  assert.equal(rpcLimit('kubo/0.30.0/', overrides), 2_000_000)
  assert.equal(rpcLimit('js-libp2p/3.3.11', overrides), 100_000)
  assert.equal(rpcLimit('rust-libp2p/0.47.0', overrides), 65_536)
  assert.equal(smallestLimit(overrides), 50_000)
  assert.equal(smallestLimit(), 65_536)
})
