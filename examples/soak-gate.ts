// A gate of CI: does the application leak when peers come and go? It starts a trace store and the application, lets
// `tracemesh soak` churn the mesh of the application, and exits with its code: 0 pass, 1 leak, 3 undecided.
//
//   node soak-gate.ts [FLAG ...]      such as --for 30m --churn 2/s --report soak
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { tracemesh } from 'tracemesh'

const program = import.meta.resolve('tracemesh/package.json').replace('package.json', 'dist/bin.js')
const run = (...args: string[]): ChildProcess =>
  spawn(process.execPath, [new URL(program).pathname, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })

const store = run('store', '--otlp', '127.0.0.1:0', '--http', '127.0.0.1:0', '--file', ':memory:')
const { otlp, query } = await listening(store)

// The application: here it counts its peers in a collection that the mesh watches. A leak of it would be named.
const peersSeen = new Map<string, number>()
const node = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), pubsub: gossipsub(), tracemesh: tracemesh({ mesh: 'example', otlp }) },
})
const { tracemesh: mesh } = node.services
mesh.watch('peers-seen', () => peersSeen.size)
mesh.subscribe('news', () => {})
node.addEventListener('peer:connect', ({ detail }) => peersSeen.set(detail.toString(), Date.now()))
node.addEventListener('peer:disconnect', ({ detail }) => peersSeen.delete(detail.toString()))

const seed = node.getMultiaddrs().join(',')
// The first census comes 5 s after the start, and leaves within 15 s.
await new Promise((resolve) => setTimeout(resolve, 20_000))
const against = ['--against', query, '--mesh', 'example', '--seed', seed, '--topic', 'news', '--otlp', otlp]
const soak = run('soak', ...against, ...process.argv.slice(2))
soak.stdout?.pipe(process.stdout)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => soak.kill(signal))
const [code] = await once(soak, 'close')
await node.stop()
store.kill()
process.exitCode = code ?? 1

/** Addresses of the store, from its log. */
async function listening({ stdout }: ChildProcess): Promise<{ readonly otlp: string; readonly query: string }> {
  if (stdout === null) throw new Error('the store has no output')
  for await (const line of createInterface({ input: stdout })) {
    const { msg, otlp, query } = JSON.parse(line)
    if (msg === 'listening') return { otlp, query }
  }
  throw new Error('the store did not start')
}
