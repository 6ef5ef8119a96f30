import assert from 'node:assert/strict'
import { test } from 'node:test'
import { prefixLogger } from '@libp2p/logger'
import { AbstractStream, type SendResult } from '@libp2p/utils'
import { leakCheck } from '../testing/leak-check.ts'
import { BufferBudget } from './buffer-budget.ts'

leakCheck()

/** A stream of libp2p whose peer reads nothing; `read` lets it take everything. */
class SlowStream extends AbstractStream {
  sent = 0
  constructor(id: string) {
    super({ id, direction: 'outbound', log: prefixLogger('test').forComponent('stream') })
  }
  sendData(): SendResult {
    return { sentBytes: 0, canSendMore: false }
  }
  sendReset(): void {}
  async sendCloseWrite(): Promise<void> {}
  async sendCloseRead(): Promise<void> {}
  sendPause(): void {}
  sendResume(): void {}
  drain(): void {
    this.writeBuffer.consume(this.writeBuffer.byteLength)
  }
}

function fixture(limit: number, names: readonly string[]) {
  const aborted: string[] = []
  const budget = new BufferBudget(limit, ({ id }) => aborted.push(id))
  const streams = names.map((name) => new SlowStream(name))
  for (const stream of streams) budget.watch(stream)
  return { budget, aborted, streams: streams as [SlowStream, SlowStream, SlowStream] }
}

test('bytes that would exceed the limit: the fullest stream ends, the others and the writer go on', () => {
  const { budget, aborted, streams } = fixture(100, ['full', 'small', 'new'])
  const [full, small, newest] = streams
  full.send(new Uint8Array(60))
  small.send(new Uint8Array(30))
  assert.equal(budget.used, 90)
  newest.send(new Uint8Array(20))
  assert.deepEqual(aborted, ['full'])
  assert.deepEqual([full.status, small.status, newest.status], ['aborted', 'open', 'open'])
  assert.equal(budget.used, 50)
})

test('the fullest stream writes more: it ends itself, and nothing is written', () => {
  const { budget, aborted, streams } = fixture(100, ['full', 'small'])
  const [full, small] = streams
  small.send(new Uint8Array(10))
  full.send(new Uint8Array(80))
  assert.throws(() => full.send(new Uint8Array(20)), { name: 'StreamStateError' })
  assert.deepEqual([aborted, budget.used, small.status], [['full'], 10, 'open'])
})

test('received bytes that nobody reads count; one chunk above the limit ends its stream', () => {
  const { budget, aborted, streams } = fixture(100, ['deaf', 'huge'])
  const [deaf, huge] = streams
  deaf.pause()
  deaf.onData(new Uint8Array(40))
  assert.equal(budget.used, 40)
  huge.pause()
  huge.onData(new Uint8Array(101))
  assert.deepEqual([aborted, budget.used], [['deaf', 'huge'], 0])
})

test('bytes that were sent or read are free again, without an event of the stream', () => {
  const { budget, aborted, streams } = fixture(100, ['a', 'b'])
  const [a, b] = streams
  b.addEventListener('message', () => {})
  for (let n = 0; n < 50; n++) {
    a.send(new Uint8Array(60))
    a.drain()
    b.onData(new Uint8Array(60))
  }
  assert.deepEqual(aborted, [])
  assert.ok(budget.used <= 100)
})

test('a closed stream counts no more, however it closed', () => {
  const { budget, streams } = fixture(100, ['a', 'b', 'c'])
  const [a, b, c] = streams
  for (const stream of streams) stream.send(new Uint8Array(30))
  a.abort(new Error('test'))
  b.onRemoteReset()
  c.onTransportClosed()
  assert.equal(budget.used, 0)
})
