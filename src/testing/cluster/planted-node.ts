import { createSocket } from 'node:dgram'
import { runUntilStopped } from '../../commands/run-until-stopped.ts'
import { parseConfig } from '../../node/config.ts'
import { startNode } from '../../node/node.ts'

// A node, configured by its environment, that begins to leak at a SIGUSR2: it opens 50 UDP sockets, sets 200
// unreferenced timers, keeps 20 MB of buffers, and from then on keeps some 200 KB of objects a second.

const megabyte = 1_048_576
const kept: object[] = []

process.on('SIGUSR2', () => {
  for (let i = 0; i < 50; i++) kept.push(createSocket('udp4').unref().bind(0, '127.0.0.1'))
  for (let i = 0; i < 200; i++) kept.push(setTimeout(() => {}, 3_600_000).unref())
  for (let i = 0; i < 20; i++) kept.push(Buffer.alloc(megabyte, 1))
  setInterval(keepForever, 100).unref()
  // Garbage, for which V8 collects.
  setInterval(() => void Buffer.alloc(4 * megabyte, 1), 500).unref()
})

function keepForever(): void {
  kept.push(Array.from({ length: 500 }, (_, part) => ({ part, kept })))
}

process.exitCode = await runUntilStopped(() => startNode(parseConfig(process.env)))
