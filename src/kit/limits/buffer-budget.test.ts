import assert from 'node:assert/strict'
import { test } from 'node:test'
import { prefixLogger } from '@libp2p/logger'
import { AbstractStream, type SendResult } from '@libp2p/utils'
import { leakCheck } from '../../testing/leak-check.ts'
import { VirtualClock } from '../../testing/sim/virtual-clock.ts'
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

/** Streams of a peer each, or of the peer before the slash in their names. */
function fixture(limit: number, names: readonly string[]) {
  const aborted: string[] = []
  const peers: string[] = []
  const clock = new VirtualClock()
  const onAborted = ({ id }: { readonly id: string }, peer: string) => {
    aborted.push(id)
    peers.push(peer)
  }
  const budget = new BufferBudget({ limit, now: () => clock.now(), onAborted })
  const streams = names.map((name) => new SlowStream(name))
  for (const stream of streams) budget.watch(stream, stream.id.split('/')[0] ?? '')
  return { budget, clock, aborted, peers, streams: streams as [SlowStream, SlowStream, SlowStream] }
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

test('a deaf peer spreads its bytes over several streams: its largest stream ends, not the larger one of another peer', () => {
  const names = ['deaf/1', 'deaf/2', 'deaf/3', 'deaf/4', 'honest/1', 'new/1']
  const { aborted, peers, streams } = fixture(100, names)
  const [honest, newest] = streams.slice(4)
  for (const [n, stream] of streams.slice(0, 4).entries()) stream.send(new Uint8Array(n === 1 ? 16 : 15))
  honest?.send(new Uint8Array(30))
  newest?.send(new Uint8Array(20))
  assert.deepEqual([aborted, peers], [['deaf/2'], ['deaf']])
  assert.equal(honest?.status, 'open')
})

test('many deaf peers hold less each than one short burst: a deaf one ends, and the burst goes on', () => {
  const kib = 1_024
  const names = [...Array.from({ length: 30 }, (_, n) => `deaf${n}`), 'honest']
  const { clock, aborted, streams } = fixture(31 * kib, names)
  const honest = streams.at(-1)
  for (const stream of streams.slice(0, 30)) stream.send(new Uint8Array(kib))
  clock.advance(5_000)
  honest?.send(new Uint8Array(0.75 * kib))
  honest?.send(new Uint8Array(0.75 * kib))
  assert.deepEqual([aborted, honest?.status], [['deaf0'], 'open'])
})

test('a peer that reads slowly holds most by far: it ends, not a deaf one with little', () => {
  const { clock, aborted, streams } = fixture(100, ['slow', 'deaf', 'new'])
  const [slow, deaf, newest] = streams
  deaf.send(new Uint8Array(10))
  slow.send(new Uint8Array(80))
  clock.advance(5_000)
  slow.drain()
  slow.send(new Uint8Array(75))
  newest.send(new Uint8Array(20))
  assert.deepEqual(aborted, ['slow'])
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
