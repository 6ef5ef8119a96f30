import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { News } from './news.ts'

leakCheck()

test('news are bounded, the newest stay', () => {
  const news = new News()
  for (let index = 0; index < 500; index++) {
    news.line('n', { msg: 'mesh.member.joined', 'mesh.peer.name': `peer-${index}` })
    news.line('n', { msg: 'mesh.message.received', 'mesh.message.topic': `t${index}`, 'mesh.message.bytes': 9 })
    news.problem(String(index))
  }
  assert.deepEqual([news.spans.length, news.messages.length, news.problems.length], [200, 200, 50])
  assert.equal(news.spans.at(-1)?.detail, 'name=peer-499')
  assert.equal(news.messages.at(-1)?.text, 'heard 9 bytes on t499')
  news.said('n', 'hello', 1)
  news.line('n', { msg: 'mesh.message.published', 'mesh.message.topic': 'lab', 'mesh.message.bytes': 5 })
  assert.equal(news.messages.at(-1)?.text, 'said “hello” to 1 peer', 'told once, in words')
})
