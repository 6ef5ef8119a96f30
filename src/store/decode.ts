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
 * Creates a decoder of export requests. If a request as such cannot be decoded, it is decoded span by span: unreadable
 * spans (nested too deep, cut short, not UTF-8) are counted, the others retained.
 *
 * The decoder throws the protobuf error if no span is readable.
 */
export function createDecoder(): (body: Uint8Array) => DecodedRequest {
  const { requestDeserialize } = traceService().Export
  const decodePieces = createPieceDecoder()
  return (body) => {
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    try {
      return { ...requestDeserialize(bytes), unreadable: 0 }
    } catch (error) {
      const decoded = decodePiecewise(decodePieces, bytes)
      if (decoded === undefined) throw error
      return decoded
    }
  }
}

type PieceDecoder = ReturnType<typeof createPieceDecoder>

function createPieceDecoder() {
  const { Request, Resource, Scope, Span } = piecesService()
  return {
    request: Request.requestDeserialize,
    resource: Resource.requestDeserialize,
    scope: Scope.requestDeserialize,
    span: Span.requestDeserialize,
  }
}

/** Undefined if no span is readable. */
function decodePiecewise(decode: PieceDecoder, bytes: Buffer): DecodedRequest | undefined {
  const pieces = tryOrUndefined(() => decode.request(bytes))
  if (pieces === undefined) return undefined
  let unreadable = 0
  let readable = 0
  const resource_spans: WireRequest['resource_spans'][number][] = []
  for (const { resource, scope_spans, schema_url } of pieces.resource_spans) {
    const decoded = decodeOptional(resource, decode.resource)
    const scopes: WireScopeSpans[] = []
    for (const part of scope_spans) {
      const spans = decoded === undefined ? undefined : decodeScopeSpans(part, decode)
      unreadable += part.spans.length - (spans?.spans.length ?? 0)
      readable += spans?.spans.length ?? 0
      if (spans !== undefined) scopes.push(spans)
    }
    if (decoded !== undefined) resource_spans.push({ resource: decoded, scope_spans: scopes, schema_url })
  }
  return readable === 0 ? undefined : { resource_spans, unreadable }
}

/** Undefined if the scope itself is unreadable: all its spans need it. */
function decodeScopeSpans(part: WirePieces['scope_spans'][number], decode: PieceDecoder): WireScopeSpans | undefined {
  const scope = decodeOptional(part.scope, decode.scope)
  if (scope === undefined) return undefined
  const spans = part.spans.flatMap((bytes): WireSpan[] => tryOrUndefined(() => [decode.span(bytes)]) ?? [])
  return { scope, spans, schema_url: part.schema_url }
}

/** Null if absent, undefined if unreadable. */
function decodeOptional<T>(bytes: Buffer, decode: (bytes: Buffer) => T): T | null | undefined {
  return bytes.length === 0 ? null : tryOrUndefined(() => decode(bytes))
}

/** Undefined if `run` throws, including stack overflow. */
function tryOrUndefined<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch {
    return undefined
  }
}
