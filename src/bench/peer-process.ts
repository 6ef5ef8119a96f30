import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { processUsage, type Usage } from '../testing/process-usage.ts'
import { type Command, type EventOf, encodeCommand, type PeerEvent, parseEvent } from './protocol.ts'
import { kernelCpuMs } from './usage.ts'

/** How a peer is started. */
export interface Program {
  readonly command: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
}

/** A process that speaks the bench protocol. */
export interface PeerProcess {
  readonly name: string
  readonly pid: number
  /** Where it can be dialled once it was started. */
  readonly addresses: readonly string[]
  /** Resolves to its answer; rejects when it failed, ended, or did not answer within `limitMs`. */
  request<E extends PeerEvent['event']>(command: Command, answer: E, limitMs: number): Promise<EventOf<E>>
  /** By the kernel's accounting, all of its threads. Rejects, saying why it ended, when it has. */
  usage(): Promise<Usage>
  /** CPU milliseconds since its start, as `usage`. */
  cpuMs(): Promise<number>
  /** Asks it to exit, then kills it. */
  end(): Promise<void>
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>

interface PendingRequest {
  readonly resolve: (event: PeerEvent) => void
  readonly fail: (error: Error) => void
}

const bounds = { readyMs: 30_000, exitMs: 4_000, errorChars: 4_000, closeMs: 1_000 }

/** Starts a peer; resolves once it says that it is ready. It ends by itself when this process does: its input ends. */
export async function startPeer(name: string, { command, args, env }: Program): Promise<PeerProcess> {
  const child: Child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] })
  const exited = new Promise<void>((resolve) => {
    child.once('close', () => resolve())
    child.once('error', () => resolve())
  })
  const end = () => endChild(child, exited)
  try {
    const conversation = openConversation(name, child)
    const { addresses } = await conversation.ready
    const { pid = 0 } = child
    const cpuMs = () => conversation.whileAlive(() => kernelCpuMs(pid))
    const usage = async () => ({ ...(await conversation.whileAlive(() => processUsage(pid))), cpuMs: await cpuMs() })
    return { name, pid, addresses, request: conversation.request, usage, cpuMs, end }
  } catch (error) {
    await end()
    throw error
  }
}

interface Conversation extends Pick<PeerProcess, 'request'> {
  readonly ready: Promise<EventOf<'ready'>>
  /** Reads what is to be known of a process that runs. Why it ended is the answer where it does not. */
  whileAlive<T>(read: () => Promise<T>): Promise<T>
}

function openConversation(name: string, child: Child): Conversation {
  const pending = new Map<number, PendingRequest>()
  const { promise: ready, resolve, reject } = Promise.withResolvers<EventOf<'ready'>>()
  let errors = ''
  let failure: Error | undefined
  const { promise: failed, resolve: resolveFailed } = Promise.withResolvers<void>()
  const fail = (error: Error) => {
    failure ??= error
    resolveFailed()
    reject(error)
    for (const { fail: one } of pending.values()) one(error)
    pending.clear()
  }
  const handleLine = (line: string) => {
    const event = parseEvent(line)
    if (event === undefined) return
    if (event.event === 'ready') return resolve(event)
    const pendingRequest = pending.get(event.id)
    pending.delete(event.id)
    if (event.event === 'failed') pendingRequest?.fail(new Error(`${name}: ${event.why}`))
    else pendingRequest?.resolve(event)
  }
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-bounds.errorChars)
  })
  child.stdin.on('error', () => {}) // its end is told by `close`
  child.once('error', (error) => fail(new Error(`${name} cannot be started: ${error.message}`)))
  child.once('close', (code, signal) => fail(new Error(`${name} ended with ${code ?? signal}: ${errors}`)))
  createInterface({ input: child.stdout }).on('line', (line) => {
    try {
      handleLine(line)
    } catch (error) {
      fail(new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`))
    }
  })
  let lastId = 0
  const request = <E extends PeerEvent['event']>(command: Command, answer: E, limitMs: number) => {
    if (failure !== undefined) return Promise.reject(failure)
    const id = ++lastId
    const { promise, resolve: resolveEvent, reject: rejectRequest } = Promise.withResolvers<EventOf<E>>()
    pending.set(id, {
      resolve: (event) =>
        isEvent(event, answer) ? resolveEvent(event) : rejectRequest(new Error(`${name} answered ${event.event}`)),
      fail: rejectRequest,
    })
    child.stdin.write(encodeCommand(command, id))
    return withTimeout(promise, limitMs, `${name} answers ${command.do}`)
  }
  const whileAlive = async <T>(read: () => Promise<T>) => {
    if (failure !== undefined) throw failure
    try {
      return await read()
    } catch (error) {
      // The kernel forgets a process a moment before its end is told here.
      await withTimeout(failed, bounds.closeMs, 'its end is told').catch(() => {})
      throw failure ?? error
    }
  }
  return { request, whileAlive, ready: withTimeout(ready, bounds.readyMs, `${name} is ready`) }
}

function isEvent<E extends PeerEvent['event']>(event: PeerEvent, name: E): event is EventOf<E> {
  return event.event === name
}

function withTimeout<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  const { promise: limited, resolve, reject } = Promise.withResolvers<T>()
  const timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms)
  promise.then(resolve, reject)
  return limited.finally(() => clearTimeout(timer))
}

async function endChild(child: Child, exited: Promise<void>): Promise<void> {
  if (child.stdin.writable) child.stdin.end(encodeCommand({ do: 'exit' }, 0))
  const timer = setTimeout(() => child.kill('SIGKILL'), bounds.exitMs)
  await exited.finally(() => clearTimeout(timer))
}
