import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { tracemesh } from '../../kit/index.ts'
import { libp2pSettings } from '../../kit/libp2p-settings.ts'
import { runLives } from './lives.js'

// Short lives of applications with the kit, most of them members; each fourth is a guest without the mesh service.

const topic = 'bench'
const mesh = 'mesh-a'
const pollMs = 20
/** The window of a member is its own: a bench with short windows sets it for the lives, too. */
const { MESH_STALENESS_MS: stalenessMs = '30000', MESH_DIGEST_MS: digestMs = '2000' } = process.env
const windows = { stalenessMs: Number(stalenessMs), digestMs: Number(digestMs) }

await runLives(async (address, index) => {
  const base = libp2pSettings({ privateKey: await generateKeyPair('Ed25519'), listen: [] })
  return index % 4 === 3 ? guest(base, address) : member(base, address)
})

async function member(base: ReturnType<typeof libp2pSettings>, address: string) {
  const service = tracemesh({ mesh, seeds: [address], otlp: 'off', neighbours: 1, ...windows })
  const node = await createLibp2p({ ...base, services: { ...base.services, tracemesh: service } })
  const { tracemesh: own, pubsub } = node.services
  return {
    join: async (signal: AbortSignal) => {
      own.subscribe(topic, () => {})
      const isJoined = () => own.topology().peers.some(({ links }) => links.some(({ state }) => state === 'settled'))
      while (!isJoined() || pubsub.getSubscribers(`${mesh}/${topic}`).length === 0)
        await sleep(pollMs, undefined, { signal })
    },
    talk: async (data: Uint8Array) => (await own.publish(topic, data)).recipients,
    ...endings(node),
  }
}

async function guest(base: ReturnType<typeof libp2pSettings>, address: string) {
  const node = await createLibp2p(base)
  const { pubsub } = node.services
  return {
    join: async (signal: AbortSignal) => {
      pubsub.subscribe(`${mesh}/${topic}`)
      await node.dial(multiaddr(address), { signal })
      while (pubsub.getSubscribers(`${mesh}/${topic}`).length === 0) await sleep(pollMs, undefined, { signal })
    },
    talk: async (data: Uint8Array) => (await pubsub.publish(`${mesh}/${topic}`, data)).recipients.length,
    ...endings(node),
  }
}

function endings(node: Pick<Awaited<ReturnType<typeof createLibp2p>>, 'getConnections' | 'stop'>) {
  return {
    abort: () => {
      for (const connection of node.getConnections()) connection.abort(new Error('left'))
    },
    stop: async () => node.stop(),
  }
}
