import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { rpcLimit, smallestLimit } from './gossip-limits.ts'

leakCheck()

test('a neighbour takes in one RPC what its implementation takes by default, known by its agent version', () => {
  assert.equal(rpcLimit('rust-libp2p/0.47.0'), 65_536)
  assert.equal(rpcLimit('github.com/libp2p/go-libp2p@v0.51.0'), 1_048_576)
  assert.equal(rpcLimit('js-libp2p/3.3.11 UserAgent=node'), 4_194_304)
  assert.equal(rpcLimit('tracemesh/0.1.0'), 4_194_304)
})

test('of an agent that is unknown, or not known yet, 1 MiB is assumed', () => {
  assert.equal(rpcLimit('kubo/0.30.0/'), 1_048_576)
  assert.equal(rpcLimit(undefined), 1_048_576)
})

test('what was set for an agent comes before the defaults, in its order', () => {
  const set = [
    { agent: 'kubo', bytes: 2_000_000 },
    { agent: 'JS-libp2p', bytes: 100_000 },
    { agent: 'js', bytes: 50_000 },
  ]
  assert.equal(rpcLimit('kubo/0.30.0/', set), 2_000_000)
  assert.equal(rpcLimit('js-libp2p/3.3.11', set), 100_000)
  assert.equal(rpcLimit('rust-libp2p/0.47.0', set), 65_536)
  assert.equal(smallestLimit(set), 50_000)
  assert.equal(smallestLimit(), 65_536)
})
