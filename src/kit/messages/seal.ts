import type { PrivateKey, PublicKey } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { MeshError } from '../../core/errors.ts'
import type { Crossing } from '../../core/events.ts'
import { limits } from '../../core/limits.ts'
import type { TraceRef } from '../../core/trace.ts'
import { ByteReader, checkSize, shortText, traceToBytes, u64 } from './envelope.ts'

/**
 * Messages that cross into other meshes. Gossipsub's own signature ends at the first bridge, so the origin signs the
 * message itself: u8 version, u8 flags, then origin mesh, origin peer id and topic, each behind its length in one byte,
 * u64 sequence, 24 bytes trace if flagged, body; the last 64 bytes are the signature over a domain and all before it.
 * On the wire one byte precedes it, the number of bridges so far, unsigned, since every bridge changes it.
 */
const version = 1
const traceFlag = 1
const signatureBytes = 64
/** Prevents the reuse of another signature of the same key as a seal. */
const domain = new TextEncoder().encode('tracemesh-crossing:1')
/** Most bytes around a body: version, flags, three names of at most 255 bytes, sequence, trace, signature, hops. */
const overheadBytes = 2 + 3 * 256 + 8 + 24 + signatureBytes + 1

export interface Sealable {
  /** Peer id of the node that signs. */
  readonly origin: string
  readonly originMesh: string
  /** Unique per origin, also over restarts: see `crossingSequence`. */
  readonly sequence: bigint
  readonly topic: string
  readonly body: Uint8Array
  readonly trace?: TraceRef
}

export type OpenedCrossing = Crossing & { readonly body: Uint8Array }

/** A sequence that rises over restarts. Both numbers below 2^32; `count` counts messages of this incarnation. */
export function crossingSequence(incarnation: number, count: number): bigint {
  return (BigInt(incarnation) << 32n) | BigInt(count)
}

/** Throws `MESH_MESSAGE_TOO_LARGE` for a body over `limitBytes`, `MESH_MESSAGE_INVALID` if the key is not Ed25519. */
export async function seal(
  privateKey: PrivateKey,
  message: Sealable,
  limitBytes: number = limits.messageBytes,
): Promise<Uint8Array> {
  const { origin, originMesh, sequence, topic, body, trace } = message
  checkSize(body, limitBytes)
  if (privateKey.type !== 'Ed25519') {
    throw new MeshError('MESH_MESSAGE_INVALID', { reason: `an ${privateKey.type} key cannot seal; use Ed25519` })
  }
  const signedBytes = Buffer.concat([
    domain,
    Uint8Array.of(version, trace === undefined ? 0 : traceFlag),
    ...[originMesh, origin, topic].map(shortText),
    u64(sequence),
    trace === undefined ? new Uint8Array(0) : traceToBytes(trace),
    body,
  ])
  return Uint8Array.from(Buffer.concat([signedBytes.subarray(domain.length), await privateKey.sign(signedBytes)]))
}

/** The gossip payload of a crossing. */
export function encodeCrossing({ hops, sealed }: Pick<Crossing, 'hops' | 'sealed'>): Uint8Array {
  const bytes = new Uint8Array(1 + sealed.length)
  bytes[0] = hops
  bytes.set(sealed, 1)
  return bytes
}

/**
 * Decodes a gossip payload and verifies its signature; `sealed` and `body` are views of the payload. Throws
 * `MESH_SEAL_INVALID`, with the claimed origin and id if it could decode them.
 */
export async function openCrossing(payload: Uint8Array): Promise<OpenedCrossing> {
  const { crossing, signedBytes, signature } = readPayload(payload)
  const publicKey = keyOf(crossing.origin)
  if (publicKey === undefined) throw sealError('the origin has no Ed25519 key in its peer id', crossing)
  if (await publicKey.verify(signedBytes, signature)) return crossing
  throw sealError('the signature is not the origin’s', crossing)
}

interface SealedPayload {
  readonly crossing: OpenedCrossing
  readonly signedBytes: Uint8Array
  readonly signature: Uint8Array
}

function readPayload(payload: Uint8Array): SealedPayload {
  const sealed = payload.subarray(1)
  if (payload.length > limits.messageBytes + overheadBytes) throw sealError(`it has ${payload.length} bytes`)
  if (sealed.length < signatureBytes) throw sealError('it is cut short')
  const bodyEnd = sealed.length - signatureBytes
  try {
    const fields = readFields(sealed.subarray(0, bodyEnd))
    return {
      crossing: { ...fields, hops: payload[0] ?? 0, sealed },
      signedBytes: Buffer.concat([domain, sealed.subarray(0, bodyEnd)]),
      signature: sealed.subarray(bodyEnd),
    }
  } catch (cause) {
    throw sealError(cause instanceof MeshError ? cause.message : 'it cannot be read')
  }
}

function readFields(bytes: Uint8Array): Omit<OpenedCrossing, 'hops' | 'sealed'> {
  const reader = new ByteReader(bytes)
  const sealVersion = reader.u8()
  const flags = reader.u8()
  if (sealVersion !== version || (flags & ~traceFlag) !== 0) {
    throw new MeshError('MESH_MESSAGE_INVALID', { reason: `it is of version ${sealVersion} with flags ${flags}` })
  }
  const originMesh = reader.shortText()
  const origin = reader.shortText()
  const topic = reader.shortText()
  const id = `${origin}/${reader.u64()}`
  const trace = (flags & traceFlag) === 0 ? {} : { trace: reader.trace() }
  return { id, origin, originMesh, topic, ...trace, body: reader.rest() }
}

/** A peer id contains its Ed25519 key. Other text forms of the id are invalid: they would yield a second message id. */
function keyOf(origin: string): PublicKey | undefined {
  try {
    const peerId = peerIdFromString(origin)
    return peerId.type === 'Ed25519' && peerId.toString() === origin ? peerId.publicKey : undefined
  } catch {
    return undefined
  }
}

function sealError(reason: string, claimed: { origin: string; id: string } = { origin: '', id: '' }) {
  return new MeshError('MESH_SEAL_INVALID', { reason, origin: claimed.origin, id: claimed.id })
}
