import { limits } from '../../core/limits.ts'
import type { InternalInit, ResolvedOptions } from '../init.ts'
import type { ResourceCaps } from './admission.ts'

/** Connections beyond one per peer: pairs with two links, goodbyes, dials. */
const spareConnections = limits.connections - limits.peers

/** The limits of all connections that follow from that of the peers. */
export function connectionCaps(connectionsHigh: number): { readonly [L in DerivedLimit]: number } {
  const connections = connectionsHigh + spareConnections
  const pending = Math.floor(connections / 2)
  return { connections, pendingInbound: pending, pendingOutbound: pending, linksPerPeer: limits.linksPerPeer }
}

type DerivedLimit = 'connections' | 'pendingInbound' | 'pendingOutbound' | 'linksPerPeer'

/** The limits that the options ask for; in an application each is off until it asks. */
export function resourceCaps(init: InternalInit): ResourceCaps {
  const { connectionsPerAddress, inboundRate, streamsPerPeer, streamsPerProtocol, bufferedBytes, heapPercent } = init
  const connectionsHigh = init.connectionsHigh ?? init.maxPeers
  return {
    ...(connectionsHigh !== undefined && connectionCaps(connectionsHigh)),
    ...{ connectionsPerAddress, inboundRate, streamsPerPeer, streamsPerProtocol, bufferedBytes, heapPercent },
  }
}

const resourceLimits = [
  'connections',
  'pendingInbound',
  'pendingOutbound',
  'connectionsPerAddress',
  'inboundRate',
  'streamsPerPeer',
  'streamsPerProtocol',
  'bufferedBytes',
  'heapPercent',
] as const satisfies (keyof ResourceCaps)[]

/** The limits in force that a setting changes, each as name=value; the documentation lists the fixed ones. */
export function listLimits(config: ResolvedOptions, caps: ResourceCaps): string[] {
  const { connectionsHigh, connectionsLow, messageBytes } = config
  const inForce = {
    peers: connectionsHigh,
    peersLow: connectionsLow,
    ...Object.fromEntries(resourceLimits.map((name) => [name, caps[name]])),
    messageBytes,
  }
  return Object.entries(inForce).map(([name, value]) => `${name}=${value ?? 'off'}`)
}
