import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { count, newTally } from './tally.ts'

leakCheck()

test('log lines of a node: its tally counts members, links, retries, sweeps and losses', () => {
  const tally = newTally()
  const lines = [
    { msg: 'mesh.member.joined' },
    { msg: 'mesh.member.joined' },
    { msg: 'mesh.member.expired' },
    { msg: 'mesh.hello.received' },
    { msg: 'mesh.hello.received' },
    { msg: 'mesh.connection.closed', 'mesh.connection.kind': 'member' },
    { msg: 'mesh.connection.closed', 'mesh.connection.kind': 'guest' },
    { msg: 'mesh.seed.retry' },
    { msg: 'mesh.staleness.pruned', 'mesh.pruned.count': 1 },
    { msg: 'mesh.staleness.pruned', 'mesh.pruned.count': 0 },
    { msg: 'spans were lost at exit', lost: 3 },
    { msg: 'constructor' },
  ]
  for (const line of lines) count(tally, line)
  assert.deepEqual(tally, { members: 1, links: 1, retries: 1, prunes: 1, expired: 1, sweeps: 2, lost: 3 })
})
