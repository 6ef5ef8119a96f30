import { generateKeyPair } from '@libp2p/crypto/keys'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { systemClock } from '../../kit/clock.ts'
import { libp2pSettings } from '../../kit/libp2p-settings.ts'
import { type TracemeshService, tracemeshInternal } from '../../kit/service.ts'
import { version } from '../../kit/version.ts'
import { startTelemetry, type Telemetry } from '../../telemetry/telemetry.ts'

// A mesh node without seeds and without wanted neighbours: it dials only on command, over IPC, and reports every change
// of its links at once.

/** A command to a node. `at` is on the clock of `monotonic`. */
export type NodeCommand =
  | { readonly do: 'dial'; readonly at: number; readonly addresses: readonly string[] }
  /** One request to each peer and one message to the topic, both carrying `round`. */
  | { readonly do: 'send'; readonly round: number; readonly peers: readonly string[] }
  /** Closes its connections to these peers gracefully. */
  | { readonly do: 'disconnect'; readonly peers: readonly string[] }
  | { readonly do: 'stop' }

/** A node's connections to one peer in libp2p, and its links in the ledger as `id state`. */
export interface PeerConnections {
  readonly connections: number
  readonly links: readonly string[]
}

/** A report of a node. `at` is on the clock of `monotonic`. */
export type NodeReport =
  | { readonly is: 'ready'; readonly peer: string; readonly address: string }
  | {
      readonly is: 'state'
      readonly at: number
      /** Own dials under way. */
      readonly dialling: number
      readonly peers: Readonly<Record<string, PeerConnections>>
      /** Spans emitted so far, by name. */
      readonly spanCounts: Readonly<Record<string, number>>
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
  | { readonly is: 'delivered'; readonly at: number; readonly round: number; readonly from: string }

/** Milliseconds of the machine’s monotonic clock, which all of its processes share. */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

export const roundTopic = 'crossing'

async function main(): Promise<void> {
  const spanCounts: Record<string, number> = {}
  let dialling = 0
  let isReportDue = false
  const scheduleStateReport = () => {
    if (isReportDue) return
    isReportDue = true
    // Runs after the current turn, when the ledger has handled the change.
    setImmediate(() => {
      isReportDue = false
      sendReport({ is: 'state', at: monotonic(), dialling, peers: peerConnections(), spanCounts })
    })
  }
  const privateKey = await generateKeyPair('Ed25519')
  const { services, ...settings } = libp2pSettings({ privateKey, listen: ['/ip4/127.0.0.1/udp/0/quic-v1'] })
  const telemetry = countingTelemetry(spanCounts, scheduleStateReport)
  const service = tracemeshInternal({ neighbours: 0, closes: 'all', telemetry })
  const libp2p = await createLibp2p({ ...settings, services: { ...services, tracemesh: service } })
  const mesh: TracemeshService = libp2p.services.tracemesh
  libp2p.addEventListener('connection:open', scheduleStateReport)
  libp2p.addEventListener('connection:close', scheduleStateReport)

  function peerConnections(): Record<string, PeerConnections> {
    const byId: Record<string, PeerConnections> = {}
    for (const connection of libp2p.getConnections()) {
      const peer = connection.remotePeer.toString()
      byId[peer] = { connections: (byId[peer]?.connections ?? 0) + 1, links: [] }
    }
    for (const { peer, links } of mesh.topology().peers) {
      byId[peer] = { connections: byId[peer]?.connections ?? 0, links: links.map(({ id, state }) => `${id} ${state}`) }
    }
    return byId
  }

  async function dial(at: number, addresses: readonly string[]): Promise<void> {
    while (monotonic() < at) await new Promise((next) => setImmediate(next))
    dialling += addresses.length
    scheduleStateReport()
    const dials = addresses.map((address) => libp2p.dial(multiaddr(address), { force: true }))
    const results = await Promise.allSettled(dials)
    dialling -= addresses.length
    scheduleStateReport()
    const failed = results.flatMap((result) => (result.status === 'rejected' ? [String(result.reason)] : []))
    sendReport({ is: 'dialled', failed })
  }

  async function sendMessages(round: number, peers: readonly string[]): Promise<void> {
    const data = new TextEncoder().encode(String(round))
    const sendRequest = async (peer: string) => {
      const error = await mesh.request(peer, roundTopic, data).then(
        (answer) => (Number(new TextDecoder().decode(answer)) === round ? '' : 'the answer does not match the request'),
        (failure: unknown) => String(failure),
      )
      sendReport({ is: 'answered', at: monotonic(), round, peer, error })
    }
    const publish = async () => {
      sendReport({ is: 'publishing', at: monotonic(), round })
      await mesh.publish(roundTopic, data)
    }
    await Promise.all([publish(), ...peers.map(sendRequest)])
  }

  async function disconnect(peers: readonly string[]): Promise<void> {
    const connected = libp2p.getPeers().filter((peer) => peers.includes(peer.toString()))
    await Promise.all(connected.map((peer) => libp2p.hangUp(peer)))
  }

  async function stop(): Promise<void> {
    await libp2p.stop()
    await telemetry.close(100)
    if (process.connected) process.disconnect()
    process.exit(0)
  }

  mesh.respond(roundTopic, ({ data }) => data)
  mesh.subscribe(roundTopic, ({ from, data }) =>
    sendReport({ is: 'delivered', at: monotonic(), round: Number(new TextDecoder().decode(data)), from }),
  )
  process.on('message', (command: NodeCommand) => {
    if (command.do === 'dial') void dial(command.at, command.addresses)
    if (command.do === 'send') void sendMessages(command.round, command.peers)
    if (command.do === 'disconnect') void disconnect(command.peers)
    if (command.do === 'stop') void stop()
  })
  // Its parent has ended, so nothing else would stop it.
  process.on('disconnect', () => process.exit(1))
  sendReport({ is: 'ready', peer: mesh.peer, address: libp2p.getMultiaddrs()[0]?.toString() ?? '' })
}

function sendReport(report: NodeReport): void {
  if (process.connected) process.send?.(report, undefined, undefined, () => {})
}

/** Telemetry without export that counts spans and schedules a report at each: a span means that the ledger changed. */
function countingTelemetry(spanCounts: Record<string, number>, scheduleStateReport: () => void): Telemetry {
  const resource = {
    meshId: 'crossing',
    nodeName: 'crossing',
    role: 'compute',
    incarnation: 1,
    peer: '',
    version,
  } as const
  const telemetry = startTelemetry({ clock: systemClock, endpoint: 'off', resource })
  return {
    emit: (effect, window) => {
      spanCounts[effect.span] = (spanCounts[effect.span] ?? 0) + 1
      scheduleStateReport()
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

// Other modules import its types; it runs only as a child process with an IPC channel.
if (process.send !== undefined && process.argv[1] === import.meta.filename) await main()
