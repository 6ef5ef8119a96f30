import type { Connection, Stream, StreamMuxer } from '@libp2p/interface'
import type { Registrar } from '@libp2p/interface-internal'
import { MeshError } from '../../core/errors.ts'
import type { RefusalDetail } from '../../core/limit-spans.ts'
import { type LimitName, limitSetting } from '../../core/limits.ts'
import type { LimitAction } from '../../core/spans/node.ts'
import { Tally } from '../../core/tally.ts'
import type { NetworkComponents } from '../components.ts'
import { replaceMethod } from '../replace-method.ts'

/** Largest numbers of streams; undefined for no limit beside libp2p's own. */
export interface StreamCaps {
  readonly streamsPerPeer?: number | undefined
  readonly streamsPerProtocol?: number | undefined
}

interface StreamLimitsOptions {
  readonly connectionManager: Pick<NetworkComponents['connectionManager'], 'getConnections'>
  readonly caps: StreamCaps
  readonly onRefused: (limit: LimitName, action: LimitAction, detail: RefusalDetail) => void
  /** A stream of this peer opened. */
  readonly onStream: (stream: Stream, peer: string) => void
}

/** libp2p's own limits, which it sets for a protocol that names none. */
const libp2pDefaults = { inbound: 32, outbound: 64 }

/** Names of libp2p's errors for a stream above the limit of its protocol. */
const protocolErrors = ['TooManyInboundProtocolStreamsError', 'TooManyOutboundProtocolStreamsError']

/**
 * Bounds the streams of each peer over all its connections, also those that this node, its gossipsub or its application
 * opens. libp2p bounds them per protocol and connection, and tells nobody.
 */
export class StreamLimits {
  readonly #options: StreamLimitsOptions
  /** Streams by peer that are being opened; libp2p lists them later. */
  readonly #opening = new Tally()
  #registrar: Pick<Registrar, 'getHandler'> | undefined

  constructor(options: StreamLimitsOptions) {
    this.#options = options
  }

  /** Gives protocols without a limit of their own that of the node. libp2p enforces it. Returns a function that ends this. */
  limitProtocols(registrar: Pick<Registrar, 'getHandler'>): () => void {
    const streams = this.#options.caps.streamsPerProtocol
    if (streams === undefined) return () => {}
    this.#registrar = registrar
    return replaceMethod(registrar, 'getHandler', (getHandler) => (protocol) => {
      const record = getHandler(protocol)
      const { maxInboundStreams, maxOutboundStreams } = record.options
      const options = {
        ...record.options,
        ...(maxInboundStreams === libp2pDefaults.inbound && { maxInboundStreams: streams }),
        ...(maxOutboundStreams === libp2pDefaults.outbound && { maxOutboundStreams: streams }),
      }
      return { ...record, options }
    })
  }

  watch(connection: Connection, muxer: StreamMuxer): void {
    muxer.addEventListener('stream', ({ detail: stream }: CustomEvent<Stream>) => {
      // libp2p lists it already, and waits for the name of its protocol.
      if (this.#isOver(this.#count(connection) - 1)) stream.abort(this.#refuse(connection))
      else this.#onStream(connection, stream)
    })
    replaceMethod(muxer, 'createStream', (createStream) => async (options) => {
      if (this.#isOver(this.#count(connection))) throw this.#refuse(connection)
      const peer = connection.remotePeer.toString()
      this.#opening.add(peer, 1)
      try {
        const stream = await createStream(options)
        this.#onStream(connection, stream)
        return stream
      } finally {
        this.#opening.add(peer, -1)
      }
    })
  }

  #isOver(count: number): boolean {
    const { streamsPerPeer } = this.#options.caps
    return streamsPerPeer !== undefined && count >= streamsPerPeer
  }

  #count({ remotePeer, streams }: Connection): number {
    const connections = this.#options.connectionManager.getConnections(remotePeer)
    const listed = connections.reduce((sum, one) => sum + one.streams.length, 0)
    // A connection is listed shortly after it opened.
    return Math.max(listed, streams.length) + this.#opening.get(remotePeer.toString())
  }

  #refuse({ remotePeer }: Connection): MeshError<'MESH_LIMIT_REACHED'> {
    const value = this.#options.caps.streamsPerPeer ?? 0
    this.#options.onRefused('streamsPerPeer', 'refused', { peer: remotePeer.toString(), value })
    return new MeshError('MESH_LIMIT_REACHED', {
      limit: 'streamsPerPeer',
      value,
      setting: limitSetting('streamsPerPeer'),
    })
  }

  #onStream({ remotePeer }: Connection, stream: Stream): void {
    const { caps, onRefused, onStream } = this.#options
    const peer = remotePeer.toString()
    stream.addEventListener('close', ({ error }) => {
      if (error === undefined || !protocolErrors.includes(error.name) || !this.#isOwnLimit(stream)) return
      onRefused('streamsPerProtocol', 'refused', { peer, value: caps.streamsPerProtocol })
    })
    onStream(stream, peer)
  }

  /** Whether the protocol has the limit of the node, and not one of its own such as identify. */
  #isOwnLimit({ protocol, direction }: Stream): boolean {
    try {
      const options = this.#registrar?.getHandler(protocol).options
      const limit = direction === 'inbound' ? options?.maxInboundStreams : options?.maxOutboundStreams
      return limit === this.#options.caps.streamsPerProtocol
    } catch {
      // This node does not handle the protocol.
      return false
    }
  }
}
