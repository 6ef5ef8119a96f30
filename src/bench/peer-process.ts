import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import { errorMessage } from '../core/errors.ts'
import { raceAbort } from '../kit/clock.ts'
import { Subprocess } from '../processes/subprocess.ts'
import { processUsage, type Usage } from '../testing/cluster/process-usage.ts'
import { kernelCpuMs } from './usage.ts'

/** How to start a peer. */
export interface Program {
  readonly command: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
}

/** A process that speaks the bench protocol. */
export interface PeerProcess {
  readonly name: string
  readonly pid: number
  /** Dial addresses, valid after `start`. */
  readonly addresses: readonly string[]
  /** Resolves to the response; rejects if the command fails, the process exits, or `limitMs` passes. */
  request<E extends PeerEvent['event']>(command: Command, answer: E, limitMs: number): Promise<EventOf<E>>
  /** By the kernel's accounting, all threads. Rejects with the exit status if the process has exited. */
  usage(): Promise<Usage>
  /** CPU milliseconds since its start; rejects like `usage`. */
  cpuMs(): Promise<number>
  /** Sends `exit`, then kills it after a limit. */
  end(): Promise<void>
}

interface PendingRequest {
  readonly answer: PeerEvent['event']
  readonly resolve: (event: PeerEvent) => void
  readonly reject: (error: unknown) => void
}

const bounds = { readyMs: 30_000, exitMs: 4_000, closeMs: 1_000 }

/** Starts a peer; resolves once it is ready. It exits when this process does, at the end of its input. */
export async function startPeer(name: string, { command, args, env }: Program): Promise<PeerProcess> {
  const pending = new Map<number, PendingRequest>()
  const ready = Promise.withResolvers<EventOf<'ready'>>()
  const violated = new AbortController()
  const handleLine = (line: string) => {
    const event = parseEvent(line)
    if (event === undefined) return
    if (event.event === 'ready') return ready.resolve(event)
    const request = pending.get(event.id)
    pending.delete(event.id)
    if (event.event === 'failed') request?.reject(new Error(`${name}: ${event.why}`))
    else if (event.event === request?.answer) request.resolve(event)
    else request?.reject(new Error(`${name} sent ${event.event} instead of ${request.answer}`))
  }
  const child = new Subprocess({
    name,
    command: [command, ...args],
    env,
    input: true,
    onLine: (line) => {
      try {
        handleLine(line)
      } catch (error) {
        violated.abort(new Error(`${name}: ${errorMessage(error)}`))
      }
    },
  })
  /** Aborts when the peer has exited or violated the protocol. */
  const failed = AbortSignal.any([child.ended, violated.signal])
  const end = async () => {
    child.write(encodeCommand({ do: 'exit' }, 0))
    await child.endInput(bounds.exitMs)
  }
  let lastId = 0
  const request = async <E extends PeerEvent['event']>(command: Command, answer: E, limitMs: number) => {
    failed.throwIfAborted()
    const id = ++lastId
    const { promise, resolve, reject } = Promise.withResolvers<PeerEvent>()
    pending.set(id, { answer, resolve, reject })
    child.write(encodeCommand(command, id))
    const limit = AbortSignal.timeout(limitMs)
    return raceAbort(AbortSignal.any([failed, limit]), promise as Promise<EventOf<E>>).catch((error) => {
      throw limit.aborted ? new Error(`${name}: ${command.do}: timeout after ${limitMs} ms`) : error
    })
  }
  const whileAlive = async <T>(read: () => Promise<T>) => {
    failed.throwIfAborted()
    try {
      return await read()
    } catch (error) {
      // The kernel drops a process a moment before its exit is reported here.
      await Promise.race([child.exited, sleep(bounds.closeMs, undefined, { ref: false })])
      failed.throwIfAborted()
      throw error
    }
  }
  const { addresses } = await child.ready(ready.promise, bounds.readyMs, failed)
  const cpuMs = () => whileAlive(() => kernelCpuMs(child.pid))
  const usage = async () => ({ ...(await whileAlive(() => processUsage(child.pid))), cpuMs: await cpuMs() })
  return { name, pid: child.pid, addresses, request, usage, cpuMs, end }
}

/** Version of the protocol in PROTOCOL.md. */
const protocolVersion = 1

/** A command to a peer, which responds with the same `id`. */
export type Command =
  | { readonly do: 'start'; readonly dial: readonly string[] }
  | { readonly do: 'publish'; readonly bytes: number; readonly rate: number; readonly count: number }
  | { readonly do: 'count' | 'cpu' | 'held' | 'exit' }

const count = z.number().int().nonnegative()
/** Bounds the memory that a faulty peer can make the bench use. */
const limits = { addresses: 16, latencies: 100_000, text: 2_000, tables: 1_000 } as const
const name = z.string().max(limits.text)

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
  z.object({
    event: z.literal('held'),
    id: count,
    connections: count,
    peers: count,
    tables: z.array(z.object({ name, size: count, departed: count })).max(limits.tables),
    registries: z.array(z.object({ name, size: count, capacity: count })).max(limits.tables),
    memory: z.object({
      rss: z.number(),
      heapUsed: z.number(),
      heapTotal: z.number(),
      compiled: z.number(),
      objects: z.number(),
      external: z.number(),
      native: z.number(),
    }),
    handles: z.record(name, count),
  }),
  z.object({ event: z.literal('cpu'), id: count, ms: z.number().nonnegative() }),
  z.object({ event: z.literal('failed'), id: count, why: z.string() }),
])

type PeerEvent = z.output<typeof schema>
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
