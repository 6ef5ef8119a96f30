import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { multiaddr } from '@multiformats/multiaddr'
import { recordingTelemetry } from '../otlp/recording-telemetry.ts'
import { createPeer, type PeerKind } from '../suite/peer-kinds.ts'
import type { Transport } from '../suite/real-world.ts'

// A peer that publishes every 200 ms, and prints what it publishes and receives: gossip-peer KIND TRANSPORT SEED.
// Commands, one a line: `dial ADDRESS` opens a connection, also a second one; `close-first` closes the oldest of two or
// more; `end-stream` aborts its own gossip stream; `spans` prints the names of its spans. It prints {"event":"done"}
// after each, and ends when its input does.

const [kind, transport, seed = ''] = process.argv.slice(2) as [PeerKind, Transport, string]
const topic = 'own'
const publishMs = 200
const printLine = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
const privateKey = await generateKeyPairFromSeed('Ed25519', Buffer.from(seed, 'hex'))
const { telemetry, spans } = recordingTelemetry()
const libp2p = await createPeer(kind, transport, { telemetry, privateKey })
const { pubsub } = libp2p.services
pubsub.subscribe(topic)
pubsub.addEventListener('message', ({ detail }) => {
  if (detail.topic === topic) printLine({ event: 'heard', sentAt: Number(Buffer.from(detail.data)) })
})

/** The mesh of a node closes one of two connections itself. */
async function closeFirst(): Promise<void> {
  const [first, ...others] = libp2p.getConnections().toSorted((a, b) => a.timeline.open - b.timeline.open)
  if (others.length > 0) await first?.close()
}

function endStream(): void {
  for (const { streams } of libp2p.getConnections())
    for (const stream of streams)
      if (stream.direction === 'outbound' && stream.protocol.startsWith('/meshsub/'))
        stream.abort(new Error('ended by the test'))
}

const commands: Readonly<Record<string, (argument: string) => unknown>> = {
  dial: (address) => libp2p.dial(multiaddr(address), { force: true }),
  'close-first': closeFirst,
  'end-stream': endStream,
  spans: () => printLine({ event: 'spans', names: spans.map(({ span }) => span) }),
}

async function obey(line: string): Promise<void> {
  const [name = '', argument = ''] = line.split(' ')
  try {
    await commands[name]?.(argument)
    printLine({ event: 'done', name, at: Date.now() })
  } catch (error) {
    printLine({ event: 'failed', name, error: String(error) })
  }
}

let isEnding = false
async function publish(): Promise<void> {
  while (!isEnding) {
    const sentAt = Date.now()
    await pubsub.publish(topic, Buffer.from(String(sentAt))).catch(() => {})
    printLine({ event: 'said', sentAt })
    await sleep(publishMs)
  }
}

printLine({ event: 'ready', address: String(libp2p.getMultiaddrs()[0]) })
const publishing = publish()
for await (const line of createInterface({ input: process.stdin })) void obey(line)
isEnding = true
await publishing
await libp2p.stop()
