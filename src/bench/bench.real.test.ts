import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { runBench } from './bench.ts'
import { fanout } from './fanout.ts'
import { startPeer } from './peer-process.ts'
import { formatReport } from './report.ts'
import { stockSide } from './sides.ts'

leakCheck()

const quiet = { progress: () => {}, signal: new AbortController().signal }

test('a small run: every side has all metrics, and every message arrives', { timeout: 120_000 }, async () => {
  const options = { ...fanout.defaults, nodes: 4, pairs: 1, window: 3, settle: 1 }
  const report = await runBench(fanout, options, quiet)
  assert.deepEqual(Object.keys(report.sides), ['stock', 'ours', 'stock-again'])
  for (const [side, metrics] of Object.entries(report.sides)) {
    const of = (metric: string) => metrics[metric]?.median ?? Number.NaN
    assert.equal(of('deliveredPercent'), 100, side)
    assert.ok(of('cpuMsPerDelivery') > 0.05 && of('cpuMsPerDelivery') < 200, `${side} ${of('cpuMsPerDelivery')}`)
    assert.ok(of('p50Ms') > 0 && of('p50Ms') <= of('p99Ms'), side)
    assert.ok(of('rssMb') > 30, side)
    assert.ok(of('duplicatesPerDelivery') >= 0, side)
  }
  assert.ok((report.ratios['ours']?.['cpuMsPerDelivery']?.median ?? 0) > 0)
  assert.ok(!report.notes.some((note) => /another CPU time than the kernel/.test(note)), report.notes.join('; '))
  assert.match(formatReport(report), /cpuMsPerDelivery\n {2}stock .*\n {2}ours .* x .*, range /)
  assert.ok(report.settings['ours']?.includes('MALLOC_ARENA_MAX=1'), `${report.settings['ours']}`)
  assert.deepEqual(report.settings['stock'], [])
})

test('a missing program, an early exit, a malformed event: the error names the peer', async () => {
  const env = process.env
  const start = (name: string, command: string, ...args: string[]) => startPeer(name, { command, args, env })
  await assert.rejects(start('none', '/nonexistent/peer'), /none failed to start/)
  await assert.rejects(start('brief', process.execPath, '-e', 'process.stderr.write("no reason"); process.exit(3)'), {
    message: /brief exited with 3: no reason/,
  })
  const nonsense = `process.stdout.write('{"event":"ready"}\\n'); process.stdin.resume()`
  await assert.rejects(start('odd', process.execPath, '-e', nonsense), /odd: invalid event of the bench protocol/)
})

test('a peer whose process has exited: every call rejects with the exit status', async () => {
  const peer = await startPeer('stock', stockSide('stock').program('/ip4/127.0.0.1/udp/0/quic-v1'))
  process.kill(peer.pid, 'SIGKILL')
  const ended = { message: /stock exited with SIGKILL/ }
  await assert.rejects(peer.request({ do: 'count' }, 'count', 10_000), ended)
  await assert.rejects(peer.usage(), ended)
  await assert.rejects(peer.cpuMs(), ended)
})

test('a peer that fails a command: the request rejects with its reason, and it exits with its input', async () => {
  const peer = await startPeer('stock', stockSide('stock').program('/ip4/127.0.0.1/udp/0/quic-v1'))
  try {
    await assert.rejects(peer.request({ do: 'publish', bytes: 64, rate: 10, count: 1 }, 'published', 10_000), /stock: /)
    const { links, received } = await peer.request({ do: 'count' }, 'count', 10_000)
    assert.deepEqual([links, received], [0, 0])
  } finally {
    await peer.end()
  }
  await assert.rejects(peer.request({ do: 'count' }, 'count', 1_000), /stock exited with 0/)
})
