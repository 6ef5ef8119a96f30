import { networkInterfaces } from 'node:os'
import type { DialFailure } from '../core/events.ts'

/**
 * In words, what it means that this node's own peer id answered: at an address of this machine it is this node. At any
 * other it may be this node behind a NAT, or a second process with a copy of its key.
 */
export function explainSelfDial(failure: DialFailure): DialFailure {
  if (failure.errorType !== 'SelfDial') return failure
  const foreign = failure.addresses.find((address) => !isOwnHost(address))
  const errorMessage =
    foreign === undefined
      ? 'this node itself listens there'
      : `this node’s own peer id answers at ${foreign}, which is no address of this machine: it is this node behind a NAT, or another machine has a copy of its key file`
  return { ...failure, errorMessage: errorMessage.slice(0, 256) }
}

function isOwnHost(address: string): boolean {
  const [, , host = ''] = address.split('/')
  const own = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses.map((one) => one.address))
  return own.includes(host) || host.startsWith('127.')
}
