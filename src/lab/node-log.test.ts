import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { plain, spanLine } from './lines.ts'
import { count, labSpanOf, newTally, RecentEvents } from './node-log.ts'

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

test('log lines: spans of events are lines, routine spans are not', () => {
  const time = '2026-01-02T03:04:05.678Z'
  const retry = {
    msg: 'mesh.seed.retry',
    time,
    'mesh.seed.attempt': 2,
    'mesh.dial.stage': 'dial',
    trace_id: 'abcdef012',
  }
  const span = labSpanOf('a-seed-1', retry)
  assert.ok(span)
  assert.match(
    spanLine(span, plain),
    /^2026-01-0\d \d\d:04:05\.678 a-seed-1 +mesh\.seed\.retry +attempt=2 stage=dial trace abcdef01$/,
  )
  assert.equal(labSpanOf('n', { msg: 'mesh.staleness.pruned', level: 'trace' }), undefined)
  assert.equal(labSpanOf('n', { msg: 'it broke', level: 'error', err: { message: 'so' } })?.detail, 'so')
})

test('more events than the limits: the newest stay, and a published message appears once, with its text', () => {
  const events = new RecentEvents()
  for (let index = 0; index < 500; index++) {
    events.addLogLine('n', { msg: 'mesh.member.joined', 'mesh.peer.name': `peer-${index}` })
    events.addLogLine('n', { msg: 'mesh.message.received', 'mesh.message.topic': `t${index}`, 'mesh.message.bytes': 9 })
    events.addProblem(String(index))
  }
  assert.deepEqual([events.spans.length, events.messages.length, events.problems.length], [200, 200, 50])
  assert.equal(events.spans.at(-1)?.detail, 'name=peer-499')
  assert.equal(events.messages.at(-1)?.text, 'received 9 bytes on t499')
  events.addPublished('n', 'hello', 1)
  events.addLogLine('n', { msg: 'mesh.message.published', 'mesh.message.topic': 'lab', 'mesh.message.bytes': 5 })
  assert.equal(events.messages.at(-1)?.text, 'published “hello” to 1 peer')
})
