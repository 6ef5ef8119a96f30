import { getSystemErrorMap } from 'node:util'
import { canonicalHost, isLoopback, parseAddress } from '../../core/address.ts'
import type { DialFailure, DialStage } from '../../core/events.ts'
import { readInterfaces } from '../connections/interfaces.ts'

/** Why one address did not lead to an identified peer. */
export interface AddressFailure {
  readonly stage: DialStage
  readonly type: string
  readonly message: string
  /** Undefined without a dial, for example when a name did not resolve. */
  readonly address?: string
}

/** Longest error text in a span: the bound of `mesh.error.message` in the catalogue. */
const messageLength = 256

/** Errors that a dial meets only in the handshake. All others occur before a peer answers. */
const handshakeErrors: readonly string[] = [
  'ConnectionDeniedError',
  'ConnectionInterceptedError',
  'EncryptionFailedError',
  'InvalidCryptoExchangeError',
  'InvalidMultiaddrError',
  'MuxerUnavailableError',
  'ProtocolError',
  'UnexpectedPeerError',
  'UnsupportedProtocolError',
]

const stages: readonly DialStage[] = ['resolve', 'dial', 'handshake', 'identify']

interface Cause {
  /** The `error.type` of this cause over every transport. */
  readonly type: string
  readonly stage?: DialStage
  readonly names?: readonly string[]
  readonly codes?: readonly string[]
  readonly text?: RegExp
}

/**
 * One cause has one `error.type` over every transport and resolver; the first match decides. Noise wraps its errors, so
 * only the text identifies some of them. QUIC's native library ignores ICMP: over QUIC a refused or unreachable address
 * is silent, a `TimeoutError`.
 */
const causes: readonly Cause[] = [
  { type: 'SelfDial', stage: 'handshake', text: /^Can not dial self$/ },
  {
    type: 'UnexpectedPeer',
    stage: 'handshake',
    names: ['UnexpectedPeerError'],
    text: /^Dialed peer \S+ but connected to|does not match expected remote identity key/,
  },
  {
    type: 'TimeoutError',
    names: ['TimeoutError'],
    codes: ['ETIMEDOUT', 'ETIMEOUT', 'EAI_AGAIN'],
    text: /^timed out$|operation was aborted/,
  },
  { type: 'ENOTFOUND', stage: 'resolve', codes: ['ENODATA', 'EAI_NODATA', 'EAI_NONAME'] },
  { type: 'ECONNRESET', codes: ['EPIPE'], text: /reading 0\/\d+ bytes|reset by peer|closed by peer|aborted by peer/ },
  {
    type: 'EncryptionFailedError',
    stage: 'handshake',
    text: /cryptographic handshake failed|known protocol/,
  },
]

export function failureOf(error: unknown, stage: DialStage = 'dial', address?: string): AddressFailure {
  const { name, message, code } = describeError(error)
  const cause = causes.find(
    ({ names, codes, text }) => names?.includes(name) || codes?.includes(code) || text?.test(message) === true,
  )
  const reachedStage = stage === 'dial' && handshakeErrors.includes(name) ? 'handshake' : stage
  const type = cause?.type ?? (name === 'Error' && code !== '' ? code : name)
  const text = type === 'SelfDial' ? 'the address is our own' : message
  return { stage: cause?.stage ?? reachedStage, type, message: text, ...(address !== undefined && { address }) }
}

/** One failure for the attempt: that of the address that came furthest; a self dial only if it is the only failure. */
export function summarizeFailures(failures: readonly AddressFailure[], addresses: readonly string[]): DialFailure {
  const rank = ({ stage, type }: AddressFailure) => (type === 'SelfDial' ? -1 : stages.indexOf(stage))
  const furthest = failures.reduce<AddressFailure | undefined>(
    (best, failure) => (best === undefined || rank(failure) > rank(best) ? failure : best),
    undefined,
  )
  const { stage, type, message, address }: AddressFailure = furthest ?? {
    stage: 'dial',
    type: 'NoAddress',
    message: 'there is nothing to dial',
  }
  const of = address === undefined ? {} : { address }
  return { stage, addresses, ...of, errorType: type, errorMessage: cutMessage(message) }
}

export function cutMessage(message: string): string {
  return message.slice(0, messageLength)
}

function describeError(error: unknown): { name: string; message: string; code: string } {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), code: '' }
  const code = nativeCode(error.message) ?? ('code' in error && typeof error.code === 'string' ? error.code : '')
  return { name: error.name || 'Error', message: error.message, code }
}

/** Native QUIC reports the number of a system error only in its text. */
function nativeCode(message: string): string | undefined {
  const number = /\(os error (\d+)\)/.exec(message)?.[1]
  return number === undefined ? undefined : getSystemErrorMap().get(-Number(number))?.[0]
}

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
