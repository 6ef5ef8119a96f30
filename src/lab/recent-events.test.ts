import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { RecentEvents } from './recent-events.ts'

leakCheck()

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
