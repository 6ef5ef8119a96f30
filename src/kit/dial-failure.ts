import type { DialFailure, DialStage } from '../core/events.ts'

/** Why one address did not lead to an identified peer. */
export interface AddressFailure {
  readonly stage: DialStage
  readonly type: string
  readonly message: string
}

/** Longest text of an error that is told: the bound of `error.message` in the catalogue. */
const messageLength = 256

/** How far a dial has to come to fail so. Everything not named here failed before anybody answered. */
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

export function failureOf(error: unknown, stage: DialStage = 'dial'): AddressFailure {
  const { name, message, code } = described(error)
  if (message === 'Can not dial self')
    return { stage: 'handshake', type: 'SelfDial', message: 'the address is our own' }
  if (/^Dialed peer \S+ but connected to/.test(message)) return { stage: 'handshake', type: 'UnexpectedPeer', message }
  const type = name === 'Error' && code !== '' ? code : name
  return { stage: stage === 'dial' && handshakeErrors.includes(name) ? 'handshake' : stage, type, message }
}

/** One failure for the whole attempt: that of the address which came furthest, and our own only when there is no other. */
export function summary(failures: readonly AddressFailure[], addresses: readonly string[]): DialFailure {
  const rank = ({ stage, type }: AddressFailure) => (type === 'SelfDial' ? -1 : stages.indexOf(stage))
  const furthest = failures.reduce<AddressFailure | undefined>(
    (best, failure) => (best === undefined || rank(failure) > rank(best) ? failure : best),
    undefined,
  )
  const { stage, type, message } = furthest ?? { stage: 'dial', type: 'NoAddress', message: 'there is nothing to dial' }
  return { stage, addresses, errorType: type, errorMessage: message.slice(0, messageLength) }
}

function described(error: unknown): { name: string; message: string; code: string } {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), code: '' }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return { name: error.name || 'Error', message: error.message, code }
}
