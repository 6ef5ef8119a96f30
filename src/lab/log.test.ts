import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { plain, toldLine } from './lines.ts'
import { News } from './news.ts'
import { count, newTally } from './tally.ts'
import { toldBy } from './told.ts'

leakCheck()

test('a node is counted by what it logs', () => {
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

test('what happens to somebody is told, what happens every few seconds is not', () => {
  const time = '2026-01-02T03:04:05.678Z'
  const retry = {
    msg: 'mesh.seed.retry',
    time,
    'mesh.seed.attempt': 2,
    'mesh.dial.stage': 'dial',
    trace_id: 'abcdef012',
  }
  const told = toldBy('a-seed-1', retry)
  assert.ok(told)
  assert.match(
    toldLine(told, plain),
    /^03:04:05\.678 a-seed-1 +mesh\.seed\.retry +attempt=2 stage=dial trace abcdef01$/,
  )
  assert.equal(toldBy('n', { msg: 'mesh.staleness.pruned', level: 'trace' }), undefined)
  assert.equal(toldBy('n', { msg: 'it broke', level: 'error', err: { message: 'so' } })?.detail, 'so')
})

test('news are bounded, the newest stay', () => {
  const news = new News()
  for (let index = 0; index < 500; index++) {
    news.line('n', { msg: 'mesh.member.joined', 'mesh.peer.name': `peer-${index}` })
    news.line('n', { msg: 'mesh.message.received', 'mesh.message.topic': `t${index}`, 'mesh.message.bytes': 9 })
    news.problem(String(index))
  }
  assert.deepEqual([news.tells.length, news.messages.length, news.problems.length], [200, 200, 50])
  assert.equal(news.tells.at(-1)?.detail, 'name=peer-499')
  assert.equal(news.messages.at(-1)?.text, 'received t499, 9 bytes')
})
