import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { processUsage, type Usage } from '../testing/cluster/process-usage.ts'
import { type Command, type EventOf, encodeCommand, type PeerEvent, parseEvent } from './protocol.ts'
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

type Child = ChildProcessByStdio<Writable, Readable, Readable>

interface PendingRequest {
  readonly resolve: (event: PeerEvent) => void
  readonly fail: (error: Error) => void
}

const bounds = { readyMs: 30_000, exitMs: 4_000, errorChars: 4_000, closeMs: 1_000 }

/** Starts a peer; resolves once it is ready. It exits when this process does, at the end of its input. */
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
  /** Runs `read` on a live process; rejects with the exit status if it has exited. */
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
  child.stdin.on('error', () => {}) // `close` reports the exit
  child.once('error', (error) => fail(new Error(`${name} failed to start: ${error.message}`)))
  child.once('close', (code, signal) => fail(new Error(`${name} exited with ${code ?? signal}: ${errors}`)))
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
        isEvent(event, answer)
          ? resolveEvent(event)
          : rejectRequest(new Error(`${name} sent ${event.event} instead of ${answer}`)),
      fail: rejectRequest,
    })
    child.stdin.write(encodeCommand(command, id))
    return withTimeout(promise, limitMs, `${name}: ${command.do}`)
  }
  const whileAlive = async <T>(read: () => Promise<T>) => {
    if (failure !== undefined) throw failure
    try {
      return await read()
    } catch (error) {
      // The kernel drops a process a moment before `close` fires here.
      await withTimeout(failed, bounds.closeMs, 'close').catch(() => {})
      throw failure ?? error
    }
  }
  return { request, whileAlive, ready: withTimeout(ready, bounds.readyMs, `${name}: ready`) }
}

function isEvent<E extends PeerEvent['event']>(event: PeerEvent, name: E): event is EventOf<E> {
  return event.event === name
}

function withTimeout<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  const { promise: limited, resolve, reject } = Promise.withResolvers<T>()
  const timer = setTimeout(() => reject(new Error(`${what}: timeout after ${ms} ms`)), ms)
  promise.then(resolve, reject)
  return limited.finally(() => clearTimeout(timer))
}

async function endChild(child: Child, exited: Promise<void>): Promise<void> {
  if (child.stdin.writable) child.stdin.end(encodeCommand({ do: 'exit' }, 0))
  const timer = setTimeout(() => child.kill('SIGKILL'), bounds.exitMs)
  await exited.finally(() => clearTimeout(timer))
}
