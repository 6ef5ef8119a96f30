import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { startPeer } from './peer-process.ts'
import { stockSide } from './sides.ts'

leakCheck()

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
