import { createInterface } from 'node:readline'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection } from '@libp2p/interface'
import { createLibp2p } from 'libp2p'
import { libp2pSettings } from '../../kit/libp2p-settings.ts'
import { tracemeshInternal } from '../../kit/service.ts'
import { recordingTelemetry } from '../otlp/recording-telemetry.ts'

// The node that a crowd joins: hub TOPIC on|off; `off` disables healing. Prints {"event":"ready","address"}, and for
// each input line {"event":"count","subscribers","heals","cpuMs"}; ends when its input does.

const [topic = '', healing = 'on'] = process.argv.slice(2)
const printLine = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)

/** Identify service of the mesh alone, which counts its retries and heals and can disable them. */
let heals = 0
let real: { identify(connection: Connection): Promise<unknown> } | undefined
const counting = () => ({
  identify: async (connection: Connection) => {
    heals++
    if (healing === 'on') await real?.identify(connection)
  },
})

const { services, ...settings } = libp2pSettings({
  privateKey: await generateKeyPair('Ed25519'),
  listen: ['/ip4/127.0.0.1/udp/0/quic-v1'],
})
const mesh = tracemeshInternal({
  services: { identify: 'counting' },
  telemetry: recordingTelemetry().telemetry,
  closes: 'all',
})
const libp2p = await createLibp2p({ ...settings, services: { ...services, counting, tracemesh: mesh } })
real = libp2p.services.identify
const { pubsub } = libp2p.services
pubsub.subscribe(topic)
printLine({ event: 'ready', address: String(libp2p.getMultiaddrs()[0]) })
for await (const _ of createInterface({ input: process.stdin })) {
  const { user, system } = process.cpuUsage()
  const subscribers = pubsub.getSubscribers(topic).length
  printLine({ event: 'count', subscribers, heals, cpuMs: Math.round((user + system) / 1_000) })
}
await libp2p.stop()
