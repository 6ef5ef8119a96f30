import { backoffPolicy } from '../../core/backoff.ts'
import type { NetworkEffect } from '../../core/events.ts'
import { SeedDialler } from '../../core/seed-dialler.ts'
import { Libp2pNetwork } from '../../kit/libp2p-network.ts'
import type { RunningNode } from '../../node/node.ts'
import type { Plant } from '../plant.ts'
import { componentsOf, gossipOf } from './libp2p.ts'
import { replaceMethod } from './replace-method.ts'

/** A dial of every peer every two seconds: each costs both ends some 100 KB. */
const ticksPerDial = 8
const maxConnections = 64
const dialMs = 5_000
const spinMs = 150
const hastyMs = 300

/** Faults of connections, dials and gossip. */
export const linkPlants = {
  /** A reconnect keeps the old connection: this end closes none. With the plant at both ends all stay. */
  'keep-connections': {
    patch: keepConnections,
    tick: (node, count) => count % ticksPerDial === 0 && dialAgain(node),
  },
  /** The other end of such a pair: it dials nobody again. That end may be the only one that closes. */
  'keep-connections-passively': { leastActs: 0, patch: keepConnections },
  /** Its first attempt for each seed is its last. */
  'dialled-once': {
    atStart: true,
    patch: (isOn) =>
      replaceMethod(
        SeedDialler.prototype,
        'handle',
        (original) =>
          function (this: SeedDialler, event, now) {
            const isOver = this.seeds().some(({ attempt }) => attempt > 0)
            const isNext = event.type === 'tick' || event.type === 'seed.failed'
            return isOver && isNext && isOn() ? [] : original.call(this, event, now)
          },
      ),
  },
  /** It gives a seed up after four attempts, and never begins again. */
  'never-rearmed': {
    atStart: true,
    patch: (isOn) => {
      Object.assign(backoffPolicy, { attempts: 4 })
      replaceMethod(
        SeedDialler.prototype,
        'handle',
        (original) =>
          function (this: SeedDialler, event, now) {
            const hasGivenUp = this.seeds().every(({ state }) => state === 'given-up')
            return hasGivenUp && isOn() ? [] : original.call(this, event, now)
          },
      )
      replaceMethod(
        SeedDialler.prototype,
        'deadline',
        (original) =>
          function (this: SeedDialler) {
            const hasGivenUp = this.seeds().every(({ state }) => state === 'given-up')
            return hasGivenUp && isOn() ? Number.POSITIVE_INFINITY : original.call(this)
          },
      )
    },
  },
  /** Retries without a delay that grows. */
  'hasty-retries': {
    atStart: true,
    patch: (isOn) => {
      const { stepsMs } = backoffPolicy
      Object.assign(backoffPolicy, { attempts: 10_000 })
      Object.defineProperty(backoffPolicy, 'stepsMs', { get: () => (isOn() ? [hastyMs] : stepsMs) })
    },
  },
  /** Gossip leaves this node no more. */
  'mute-gossip': {
    begin: (node) => {
      const { pubsub } = node.libp2p.services
      Object.assign(pubsub, { sendRpc: () => false })
      for (const stream of gossipOf(node).streamsOutbound.values())
        Object.assign(stream, { push: () => {}, pushPrefixed: () => {} })
    },
  },
  /** A spin: the loop waits for what never comes. */
  spin: {
    tick: () => {
      const until = performance.now() + spinMs
      while (performance.now() < until);
    },
  },
} as const satisfies Readonly<Record<string, Plant>>

function keepConnections(isOn: () => boolean): void {
  replaceMethod(
    Libp2pNetwork.prototype,
    'perform',
    (original) =>
      function (this: Libp2pNetwork, effect: NetworkEffect) {
        if (effect.do !== 'close' || !isOn()) original.call(this, effect)
      },
  )
}

function dialAgain({ libp2p }: RunningNode): boolean {
  const open = libp2p.getConnections()
  const outbound = open.filter(({ direction }) => direction === 'outbound')
  if (open.length >= maxConnections || outbound.length === 0) return false
  for (const address of new Map(outbound.map(({ remoteAddr }) => [String(remoteAddr), remoteAddr])).values()) {
    const abort = new AbortController()
    // The signal of the dial would also end the open connection.
    const timer = setTimeout(() => abort.abort(), dialMs)
    const dial = componentsOf(libp2p).transportManager.dial(address, { signal: abort.signal })
    dial.catch(() => {}).finally(() => clearTimeout(timer))
  }
  return true
}
