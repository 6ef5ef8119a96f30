import { createSocket, type Socket } from 'node:dgram'
import { open } from 'node:fs/promises'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Stream } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { runUntilStopped } from '../../commands/run-until-stopped.ts'
import type { TracemeshComponents } from '../../kit/components.ts'
import { parseConfig } from '../../node/config.ts'
import { type RunningNode, startNode } from '../../node/node.ts'

// A node, configured by its environment, that from a SIGUSR2 on leaks what LEAK names, as a faulty application would:
// every `intervalMs` a little more. It prints {"planted"} with the name at the signal.

const intervalMs = 250
const leakProtocol = '/leak/1.0.0'
const externalBytes = 512 * 1024

const kept: unknown[] = []
const keep = (thing: unknown) => void kept.push(thing)

const leaks: Readonly<Record<string, (node: RunningNode, count: number) => void | Promise<void>>> = {
  /** Buffers that nothing owns. */
  external: () => keep(Buffer.alloc(externalBytes, 1)),
  /** Streams of one protocol that nobody closes. */
  streams: async ({ libp2p }) => {
    for (const connection of libp2p.getConnections().slice(0, 1)) keep(await connection.newStream(leakProtocol))
  },
  /** Topics that the application subscribes to in gossipsub itself, and forgets. */
  topics: ({ libp2p }, count) => libp2p.services.pubsub.subscribe(`leak-${count}`),
  /** Records of peers that nobody will ever dial. */
  peerstore: async ({ libp2p }) => {
    const peer = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
    await libp2p.peerStore.merge(peer, {
      multiaddrs: [multiaddr('/ip4/127.0.0.1/tcp/1')],
      tags: { 'keep-alive-leak': { value: 1 } },
    })
  },
  sockets: () =>
    new Promise<void>((resolve) => {
      const socket: Socket = createSocket('udp4')
      socket.bind(0, '127.0.0.1', resolve)
      keep(socket)
    }),
  files: async () => keep(await open(import.meta.filename)),
  timers: () => {
    for (let i = 0; i < 4; i++) keep(setInterval(() => {}, 3_600_000).unref())
  },
  /** As a service of the application does. The listeners of the libp2p object itself are out of the mesh's reach. */
  listeners: ({ libp2p }) => componentsOf(libp2p).events.addEventListener('peer:connect', () => keep(1)),
  /** A registry that the application made, and one that it only watches. */
  registry: ({ mesh }, count) => {
    if (count === 0) sessions = mesh.registry('sessions', { capacity: 100_000, expiry: { event: 'logout' } })
    sessions?.set(`session ${count}`, {})
  },
  watch: ({ mesh }, count) => {
    if (count === 0) mesh.watch('cache', () => cache.size, { capacity: 8 })
    cache.set(count, growCache())
  },
}

function componentsOf(libp2p: object): Pick<TracemeshComponents, 'events'> {
  return (libp2p as { components: Pick<TracemeshComponents, 'events'> }).components
}

let sessions: ReturnType<RunningNode['mesh']['registry']> | undefined
const cache = new Map<number, object>()

/** A site in the heap that a profile can name. */
function growCache(): object {
  return Array.from({ length: 2_000 }, (_, part) => ({ part, text: `entry ${part}` }))
}

const name = process.env['LEAK'] ?? ''
const leak = leaks[name]

process.exitCode = await runUntilStopped(async () => {
  const node = await startNode(parseConfig(process.env))
  await node.libp2p.handle(leakProtocol, (stream: Stream) => keep(stream), {
    maxInboundStreams: 4_096,
    maxOutboundStreams: 4_096,
  })
  let timer: NodeJS.Timeout | undefined
  let count = 0
  process.on('SIGUSR2', () => {
    process.stdout.write(`${JSON.stringify({ planted: name })}\n`)
    timer ??= setInterval(() => {
      // A leak may fail, for example without a connection: it leaks less then.
      Promise.resolve(leak?.(node, count++)).catch(() => {})
    }, intervalMs)
  })
  return {
    stop: async (cause) => {
      clearInterval(timer)
      await node.stop(cause)
    },
  }
})
