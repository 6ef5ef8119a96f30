import { canonicalHost, isLoopback, parseAddress } from '../core/address.ts'
import type { DialFailure } from '../core/events.ts'
import { readInterfaces } from './interfaces.ts'

/**
 * Explains in words why this node's own peer id answered: at an address of this machine it is this node. At any other
 * address it may be this node behind a NAT, or a second process with a copy of its key.
 */
export function explainSelfDial(failure: DialFailure, interfaces = readInterfaces): DialFailure {
  if (failure.errorType !== 'SelfDial') return failure
  const ownHosts = interfaces().map(({ address }) => canonicalHost(address))
  const isOwn = (host: string) => ownHosts.includes(host) || isLoopback(host)
  const foreign = failure.addresses.find((address) => !isOwn(parseAddress(address).host))
  const copy = 'another machine has a copy of its key file'
  const explain = () => {
    if (foreign === undefined) return 'this node itself listens there'
    // The dialler rejects such an address without a dial.
    if (foreign.includes('/p2p/')) return `the seed names this node’s own peer id: it is this node itself, or ${copy}`
    const answers = `this node’s own peer id answers at ${foreign}`
    if (ownHosts.length === 0) return `${answers}: it is this node itself, or ${copy}`
    return `${answers}, which is no address of this machine: it is this node behind a NAT, or ${copy}`
  }
  return { ...failure, errorMessage: explain().slice(0, 256) }
}
