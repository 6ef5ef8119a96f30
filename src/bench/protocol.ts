import * as z from 'zod'

/** Version of the protocol in PROTOCOL.md. */
export const protocolVersion = 1

/** A command to a peer, which responds with the same `id`. */
export type Command =
  | { readonly do: 'start'; readonly dial: readonly string[] }
  | { readonly do: 'publish'; readonly bytes: number; readonly rate: number; readonly count: number }
  | { readonly do: 'count' | 'cpu' | 'exit' }

const count = z.number().int().nonnegative()
/** Bounds the memory that a faulty peer can make the bench use. */
const limits = { addresses: 16, latencies: 100_000, text: 2_000 } as const

const schema = z.discriminatedUnion('event', [
  z.object({
    event: z.literal('ready'),
    protocol: z.literal(protocolVersion),
    addresses: z.array(z.string().max(limits.text)).min(1).max(limits.addresses),
  }),
  z.object({ event: z.literal('started'), id: count }),
  z.object({ event: z.literal('published'), id: count, count }),
  z.object({
    event: z.literal('count'),
    id: count,
    links: count,
    members: count.optional(),
    received: count,
    copies: count.optional(),
    latencies: z.array(z.number()).max(limits.latencies),
  }),
  z.object({ event: z.literal('cpu'), id: count, ms: z.number().nonnegative() }),
  z.object({ event: z.literal('failed'), id: count, why: z.string() }),
])

export type PeerEvent = z.output<typeof schema>
export type EventOf<E extends PeerEvent['event']> = Extract<PeerEvent, { event: E }>

/**
 * Parses one line of a peer's standard output. Undefined for a line that is not an event: a peer may log there as well.
 *
 * @throws Error for an event that violates the protocol.
 */
export function parseEvent(line: string): PeerEvent | undefined {
  const value = jsonOf(line)
  if (typeof value !== 'object' || value === null || !('event' in value)) return undefined
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const { path = [], message = '' } = parsed.error.issues[0] ?? {}
  throw new Error(`invalid event of the bench protocol: ${path.join('.')}: ${message} in ${line.slice(0, 200)}`)
}

/** One line, newline included. */
export function encodeCommand(command: Command, id: number): string {
  return `${JSON.stringify({ id, ...command })}\n`
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
