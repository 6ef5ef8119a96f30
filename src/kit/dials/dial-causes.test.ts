import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import type { DialFailure } from '../../core/events.ts'
import { until } from '../../processes/waiting.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { deadAddressOf, listenOn, type RealNode, realNode, type Transport } from '../../testing/suite/real-world.ts'
import { withoutPeer } from '../multiaddrs.ts'

leakCheck()

/** Of a dial that should time out, and of any other. */
const [silentMs, limitMs] = [800, 15_000]
const unknownPeer = peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toString()

describe('one cause has one error.type over QUIC and TCP', () => {
  let dialler: RealNode
  let others: Readonly<Record<Transport, RealNode>>
  const failures = new Map<string, DialFailure>()
  /** Those that the dialler reports to the monitor of resources. */
  const errorTypes: string[] = []
  const servers: Awaited<ReturnType<typeof startTcpServer>>[] = []

  before(async () => {
    dialler = await realNode([listenOn.quic, listenOn.tcp], { onDialFailed: (errorType) => errorTypes.push(errorType) })
    others = { quic: await realNode([listenOn.quic]), tcp: await realNode([listenOn.tcp]) }
    await dialler.network.start((event) => {
      if (event.type === 'seed.failed') failures.set(event.seed, event.failure)
    })
  })
  after(async () => {
    await Promise.all([dialler, others.quic, others.tcp].map((node) => node.stop()))
    for (const { close } of servers) await close()
  })

  async function dialUntilFailure(seed: string, limitMs: number): Promise<DialFailure | undefined> {
    dialler.network.perform({ do: 'dial.seed', seed, limitMs })
    await until(() => failures.has(seed), 2 * limitMs, `${seed} fails`)
    return failures.get(seed)
  }

  const ownAddress = (transport: Transport) => {
    const all = dialler.libp2p.getMultiaddrs().map(withoutPeer)
    return all.find((address) => address.includes(transport === 'quic' ? '/quic-v1' : '/tcp/')) as string
  }

  const table: readonly [string, Transport, () => string | Promise<string>, DialFailure['stage'], string][] = [
    [
      'another peer id answers',
      'quic',
      () => `${others.quic.address}/p2p/${unknownPeer}`,
      'handshake',
      'UnexpectedPeer',
    ],
    ['another peer id answers', 'tcp', () => `${others.tcp.address}/p2p/${unknownPeer}`, 'handshake', 'UnexpectedPeer'],
    ['this node answers', 'quic', () => ownAddress('quic'), 'handshake', 'SelfDial'],
    ['this node answers', 'tcp', () => ownAddress('tcp'), 'handshake', 'SelfDial'],
    [
      'the address has its peer id',
      'quic',
      () => `${ownAddress('quic')}/p2p/${dialler.network.self}`,
      'dial',
      'SelfDial',
    ],
    ['the name is unknown', 'quic', () => '/dns4/nobody.invalid/udp/4001/quic-v1', 'resolve', 'ENOTFOUND'],
    ['the name is unknown', 'tcp', () => '/dns4/nobody.invalid/tcp/4001', 'resolve', 'ENOTFOUND'],
    ['no listener', 'tcp', () => deadAddressOf.tcp, 'dial', 'ECONNREFUSED'],
    ['a listener says nothing', 'tcp', () => misbehave(() => {}), 'dial', 'TimeoutError'],
    ['a listener resets', 'tcp', () => misbehave((socket) => socket.resetAndDestroy()), 'dial', 'ECONNRESET'],
    ['a listener hangs up', 'tcp', () => misbehave((socket) => socket.end()), 'handshake', 'ECONNRESET'],
    [
      'a web server answers',
      'tcp',
      () => misbehave((socket) => socket.end(webAnswer)),
      'handshake',
      'EncryptionFailedError',
    ],
  ]
  for (const [situation, transport, seed, stage, type] of table) {
    test(`${situation}, ${transport}: ${type}`, async () => {
      const failure = await dialUntilFailure(await seed(), type === 'TimeoutError' ? silentMs : limitMs)
      assert.deepEqual([failure?.stage, failure?.errorType], [stage, type], failure?.errorMessage)
      assert.equal(errorTypes.at(-1), type)
    })
  }

  async function misbehave(answer: (socket: Socket) => void): Promise<string> {
    const server = await startTcpServer(answer)
    servers.push(server)
    return `/ip4/127.0.0.1/tcp/${server.port}`
  }
})

const webAnswer = 'HTTP/1.1 400 Bad Request\r\n\r\n'

async function startTcpServer(answer: (socket: Socket) => void) {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    answer(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const close = async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  }
  return { port, close }
}
