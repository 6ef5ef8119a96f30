import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { tracemesh } from '../../kit/index.ts'
import { libp2pSettings } from '../../kit/libp2p-settings.ts'
import { runLives } from './lives.js'

const pollMs = 20

export interface KitLives {
  readonly mesh: string
  /** On which they talk. */
  readonly topic: string
  /** Whether nodes of the mesh subscribe to it: then a life waits for one, and its message has to reach it. */
  readonly hasListeners: boolean
}

/**
 * Short lives of applications with the kit and fresh identities, most of them members; each fourth is a guest without
 * the mesh service. They export no spans: what they leave behind is to be seen in those of the nodes. `args` as those of
 * `runLives`.
 */
export function runKitLives(lives: KitLives, args: readonly string[]): Promise<void> {
  return runLives(async (address, index) => {
    const base = libp2pSettings({ privateKey: await generateKeyPair('Ed25519'), listen: [] })
    return index % 4 === 3 ? guest(lives, base, address) : member(lives, base, address)
  }, args)
}

/** The window of a member is its own: a bench with short windows sets it for the lives, too. */
function windows() {
  const { MESH_STALENESS_MS: stalenessMs = '30000', MESH_DIGEST_MS: digestMs = '2000' } = process.env
  return { stalenessMs: Number(stalenessMs), digestMs: Number(digestMs) }
}

async function member(
  { mesh, topic, hasListeners }: KitLives,
  base: ReturnType<typeof libp2pSettings>,
  address: string,
) {
  const service = tracemesh({ mesh, seeds: [address], otlp: 'off', neighbours: 1, ...windows() })
  const node = await createLibp2p({ ...base, services: { ...base.services, tracemesh: service } })
  const { tracemesh: own, pubsub } = node.services
  return {
    join: async (signal: AbortSignal) => {
      own.subscribe(topic, () => {})
      const isJoined = () => own.topology().peers.some(({ links }) => links.some(({ state }) => state === 'settled'))
      const isHeard = () => !hasListeners || pubsub.getSubscribers(`${mesh}/${topic}`).length > 0
      while (!isJoined() || !isHeard()) await sleep(pollMs, undefined, { signal })
    },
    talk: async (data: Uint8Array) => heardBy((await own.publish(topic, data)).recipients, hasListeners),
    ...endings(node),
  }
}

/** Without listeners nobody has to hear it. */
function heardBy(recipients: number, hasListeners: boolean): number {
  return hasListeners ? recipients : Math.max(1, recipients)
}

async function guest(
  { mesh, topic, hasListeners }: KitLives,
  base: ReturnType<typeof libp2pSettings>,
  address: string,
) {
  const node = await createLibp2p(base)
  const { pubsub } = node.services
  return {
    join: async (signal: AbortSignal) => {
      pubsub.subscribe(`${mesh}/${topic}`)
      await node.dial(multiaddr(address), { signal })
      const isHeard = () => !hasListeners || pubsub.getSubscribers(`${mesh}/${topic}`).length > 0
      while (!isHeard()) await sleep(pollMs, undefined, { signal })
    },
    talk: async (data: Uint8Array) => {
      const { recipients } = await pubsub.publish(`${mesh}/${topic}`, data)
      return heardBy(recipients.length, hasListeners)
    },
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
