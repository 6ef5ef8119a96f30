import { generateKeyPair } from '@libp2p/crypto/keys'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { type Tracemesh, tracemesh } from '../kit/index.ts'
import { libp2pSettings } from '../kit/libp2p-settings.ts'
import { version } from '../kit/version.ts'
import { startTelemetry, type Telemetry } from '../telemetry/telemetry.ts'
import { systemTime } from './system-time.ts'

// A node that dials only when it is told to, over IPC, and says at once what has become of its links. It is a mesh node
// in all but its seeds and its wish for neighbours: it has neither.

/** What it is told. `at` is on the clock of `monotonic`. */
export type CrossingOrder =
  | { readonly do: 'dial'; readonly at: number; readonly addresses: readonly string[] }
  /** One request to each peer and one message to the topic, both carrying `round`. */
  | { readonly do: 'speak'; readonly round: number; readonly peers: readonly string[] }
  /** Closes its connections to these peers, in order and with a flush. */
  | { readonly do: 'part'; readonly peers: readonly string[] }
  | { readonly do: 'stop' }

/** What it sees of one peer: libp2p’s connections to it, and the ledger’s links as `id state`. */
export interface PeerSight {
  readonly connections: number
  readonly links: readonly string[]
}

/** What it says. `at` is on the clock of `monotonic`. */
export type CrossingReport =
  | { readonly is: 'ready'; readonly peer: string; readonly address: string }
  | {
      readonly is: 'state'
      readonly at: number
      /** Own dials under way. */
      readonly dialling: number
      readonly peers: Readonly<Record<string, PeerSight>>
      /** Spans told so far, by name. */
      readonly told: Readonly<Record<string, number>>
    }
  | { readonly is: 'dialled'; readonly failed: readonly string[] }
  | {
      readonly is: 'answered'
      readonly at: number
      readonly round: number
      readonly peer: string
      readonly error: string
    }
  | { readonly is: 'publishing'; readonly at: number; readonly round: number }
  | { readonly is: 'heard'; readonly at: number; readonly round: number; readonly from: string }

/** Milliseconds of the machine’s monotonic clock: the same in all of its processes. */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

export const crossingTopic = 'crossing'

async function main(): Promise<void> {
  const told: Record<string, number> = {}
  let dialling = 0
  let noticing = false
  const notice = () => {
    if (noticing) return
    noticing = true
    // After the turn in which it happened: the ledger is then through with it.
    setImmediate(() => {
      noticing = false
      say({ is: 'state', at: monotonic(), dialling, peers: sights(), told })
    })
  }
  const privateKey = await generateKeyPair('Ed25519')
  const { services, ...settings } = libp2pSettings({ privateKey, listen: ['/ip4/127.0.0.1/udp/0/quic-v1'] })
  const telemetry = counted(told, notice)
  const service = tracemesh({ neighbours: 0, closes: 'all', telemetry })
  const libp2p = await createLibp2p({ ...settings, services: { ...services, tracemesh: service } })
  const mesh: Tracemesh = libp2p.services.tracemesh
  libp2p.addEventListener('connection:open', notice)
  libp2p.addEventListener('connection:close', notice)

  function sights(): Record<string, PeerSight> {
    const seen: Record<string, PeerSight> = {}
    for (const connection of libp2p.getConnections()) {
      const peer = connection.remotePeer.toString()
      seen[peer] = { connections: (seen[peer]?.connections ?? 0) + 1, links: [] }
    }
    for (const { peer, links } of mesh.topology().peers) {
      seen[peer] = { connections: seen[peer]?.connections ?? 0, links: links.map(({ id, state }) => `${id} ${state}`) }
    }
    return seen
  }

  async function dial(at: number, addresses: readonly string[]): Promise<void> {
    while (monotonic() < at) await new Promise((next) => setImmediate(next))
    dialling += addresses.length
    notice()
    const dials = addresses.map((address) => libp2p.dial(multiaddr(address), { force: true }))
    const results = await Promise.allSettled(dials)
    dialling -= addresses.length
    notice()
    const failed = results.flatMap((result) => (result.status === 'rejected' ? [String(result.reason)] : []))
    say({ is: 'dialled', failed })
  }

  async function speak(round: number, peers: readonly string[]): Promise<void> {
    const data = new TextEncoder().encode(String(round))
    const ask = async (peer: string) => {
      const error = await mesh.request(peer, crossingTopic, data).then(
        (answer) => (Number(new TextDecoder().decode(answer)) === round ? '' : 'another answer'),
        (failure: unknown) => String(failure),
      )
      say({ is: 'answered', at: monotonic(), round, peer, error })
    }
    const publish = async () => {
      say({ is: 'publishing', at: monotonic(), round })
      await mesh.publish(crossingTopic, data)
    }
    await Promise.all([publish(), ...peers.map(ask)])
  }

  async function part(peers: readonly string[]): Promise<void> {
    const known = libp2p.getPeers().filter((peer) => peers.includes(peer.toString()))
    await Promise.all(known.map((peer) => libp2p.hangUp(peer)))
  }

  async function stop(): Promise<void> {
    await libp2p.stop()
    await telemetry.close(100)
    if (process.connected) process.disconnect()
    process.exit(0)
  }

  mesh.respond(crossingTopic, ({ data }) => data)
  mesh.subscribe(crossingTopic, ({ from, data }) =>
    say({ is: 'heard', at: monotonic(), round: Number(new TextDecoder().decode(data)), from }),
  )
  process.on('message', (order: CrossingOrder) => {
    if (order.do === 'dial') void dial(order.at, order.addresses)
    if (order.do === 'speak') void speak(order.round, order.peers)
    if (order.do === 'part') void part(order.peers)
    if (order.do === 'stop') void stop()
  })
  // Whoever started it has gone: nobody is left to stop it.
  process.on('disconnect', () => process.exit(1))
  say({ is: 'ready', peer: mesh.peer, address: libp2p.getMultiaddrs()[0]?.toString() ?? '' })
}

function say(report: CrossingReport): void {
  if (process.connected) process.send?.(report, undefined, undefined, () => {})
}

/** Telemetry that exports nowhere, counts, and says when something was told: the ledger has then moved. */
function counted(told: Record<string, number>, notice: () => void): Telemetry {
  const resource = {
    meshId: 'crossing',
    nodeName: 'crossing',
    role: 'compute',
    incarnation: 1,
    peer: '',
    version,
  } as const
  const telemetry = startTelemetry({ clock: systemTime, endpoint: 'off', resource })
  return {
    emit: (effect, window) => {
      told[effect.span] = (told[effect.span] ?? 0) + 1
      notice()
      return telemetry.emit(effect, window)
    },
    get window() {
      return telemetry.window
    },
    exports: telemetry.exports,
    flush: (limitMs) => telemetry.flush(limitMs),
    close: (limitMs) => telemetry.close(limitMs),
    get stats() {
      return telemetry.stats
    },
  }
}

// Its types are imported elsewhere; it runs only when it is started with somebody to talk to.
if (process.send !== undefined && process.argv[1] === import.meta.filename) await main()
