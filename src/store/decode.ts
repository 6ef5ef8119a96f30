import {
  type DecodedRequest,
  piecesService,
  traceService,
  type WirePieces,
  type WireRequest,
  type WireScopeSpans,
  type WireSpan,
} from './wire.ts'

/**
 * Turns the bytes of an export request into what they say. A request that cannot be decoded as a whole is decoded span
 * by span: those that cannot (nested too deep, cut short, not UTF-8) are counted and the others kept.
 *
 * The result throws what the decoder throws for bytes without a single readable span.
 */
export function decoder(): (body: Uint8Array) => DecodedRequest {
  const { requestDeserialize } = traceService().Export
  const decodePieces = pieceDecoder()
  return (body) => {
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    try {
      return { ...requestDeserialize(bytes), unreadable: 0 }
    } catch (error) {
      const decoded = piecewise(decodePieces, bytes)
      if (decoded === undefined) throw error
      return decoded
    }
  }
}

type PieceDecoder = ReturnType<typeof pieceDecoder>

function pieceDecoder() {
  const { Request, Resource, Scope, Span } = piecesService()
  return {
    request: Request.requestDeserialize,
    resource: Resource.requestDeserialize,
    scope: Scope.requestDeserialize,
    span: Span.requestDeserialize,
  }
}

/** Undefined when not one span can be read. */
function piecewise(decode: PieceDecoder, bytes: Buffer): DecodedRequest | undefined {
  const pieces = attempt(() => decode.request(bytes))
  if (pieces === undefined) return undefined
  let unreadable = 0
  let readable = 0
  const resource_spans: WireRequest['resource_spans'][number][] = []
  for (const { resource, scope_spans, schema_url } of pieces.resource_spans) {
    const decoded = decodeOptional(resource, decode.resource)
    const scopes: WireScopeSpans[] = []
    for (const part of scope_spans) {
      const spans = decoded === undefined ? undefined : scopeSpansOf(part, decode)
      unreadable += part.spans.length - (spans?.spans.length ?? 0)
      readable += spans?.spans.length ?? 0
      if (spans !== undefined) scopes.push(spans)
    }
    if (decoded !== undefined) resource_spans.push({ resource: decoded, scope_spans: scopes, schema_url })
  }
  return readable === 0 ? undefined : { resource_spans, unreadable }
}

/** Undefined when the scope itself cannot be read: it belongs to each of its spans. */
function scopeSpansOf(part: WirePieces['scope_spans'][number], decode: PieceDecoder): WireScopeSpans | undefined {
  const scope = decodeOptional(part.scope, decode.scope)
  if (scope === undefined) return undefined
  const spans = part.spans.flatMap((bytes): WireSpan[] => attempt(() => [decode.span(bytes)]) ?? [])
  return { scope, spans, schema_url: part.schema_url }
}

/** Null where it is left out, undefined where it cannot be read. */
function decodeOptional<T>(bytes: Buffer, decode: (bytes: Buffer) => T): T | null | undefined {
  return bytes.length === 0 ? null : attempt(() => decode(bytes))
}

/** Undefined for what throws, an exhausted stack included. */
function attempt<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch {
    return undefined
  }
}
