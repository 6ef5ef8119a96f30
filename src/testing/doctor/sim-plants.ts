import type { ConnectionInfo, DialFailure } from '../../core/events.ts'
import type { SeedDialler, SeedEvent } from '../../core/seed-dialler.ts'
import type { SimParts } from '../sim/sim-mesh.ts'

/** Faults that change what the simulator gives a machine, or what the machine hears; the machine itself stays as it is. */

/**
 * The seed dialler gets nothing but results of dials from the first event on for which `isLast` holds; that one it gets
 * only if it is asked for `after` the event.
 */
export function stopDialling(
  { node: { seeds } }: SimParts,
  when: 'before' | 'after',
  isLast: (event: SeedEvent) => boolean,
): void {
  const original = { handle: seeds.handle.bind(seeds), deadline: seeds.deadline.bind(seeds) }
  let hasStopped = false
  replaceMethods(seeds, {
    handle: (event, now) => {
      if (when === 'before') hasStopped ||= isLast(event)
      if (hasStopped && event.type !== 'seed.answered' && event.type !== 'seed.failed') return []
      const effects = original.handle(event, now)
      if (when === 'after') hasStopped ||= isLast(event)
      return effects
    },
    deadline: () => (hasStopped ? Infinity : original.deadline()),
  })
}

/** The clock of the seed dialler is too fast by a factor. */
export function hurryDialler({ node: { seeds } }: SimParts, factor: number): void {
  const original = { handle: seeds.handle.bind(seeds), deadline: seeds.deadline.bind(seeds) }
  replaceMethods(seeds, {
    handle: (event, now) => {
      const effects = original.handle(event, now * factor)
      return effects.map((effect) =>
        effect.do === 'emit-span' && effect.since !== undefined ? { ...effect, since: effect.since / factor } : effect,
      )
    },
    deadline: () => original.deadline() / factor,
  })
}

/** Dials of one seed fail at once, as where a host refuses the port. */
export function refuseDials({ network }: SimParts, seed: string): void {
  const perform = network.perform.bind(network)
  const failure: DialFailure = {
    stage: 'dial',
    addresses: [seed],
    errorType: 'ECONNREFUSED',
    errorMessage: 'connection refused',
  }
  network.perform = (effect) => {
    if (effect.do === 'dial.seed' && effect.seed === seed)
      network.deliver({ type: 'seed.failed', seed: effect.seed, failure })
    else perform(effect)
  }
}

/** The node never opens gossip streams of its own. */
export function closeGossipOut({ network }: SimParts): void {
  network.markIdentified = (end) => {
    if (!end.isListed) return
    end.isIdentified = true
    network.deliver({ type: 'changed' })
  }
}

/** The node sees, as gossipsub does, that a peer has opened no stream to it; the simulated network alone does not say so. */
export function noticeMissingInbound({ network }: SimParts): void {
  const snapshot = network.snapshot.bind(network)
  const lacksInbound = ({ id, gossip }: ConnectionInfo) => {
    const end = network.ends.find((one) => one.id === id)
    return gossip === 'open' && !network.ends.some((one) => one.peer === end?.peer && one.far.gossips)
  }
  network.snapshot = () => snapshot().map((info) => (lacksInbound(info) ? { ...info, gossip: 'no-inbound' } : info))
}

function replaceMethods(seeds: SeedDialler, methods: Pick<SeedDialler, 'handle' | 'deadline'>): void {
  Object.assign(seeds, methods)
}
