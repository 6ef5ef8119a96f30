import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { processUsage, type Usage } from '../../testing/cluster/process-usage.ts'

const status = z.object({
  work: z.record(z.string(), z.number()),
  opened: z.number(),
  /** Connections closed before the stop, by the code that closed them. */
  closes: z.record(z.string(), z.number()),
  /** Unhandled rejections, uncaught exceptions and warnings. */
  faults: z.array(z.string()),
  connections: z.number(),
  limited: z.number(),
  members: z.number(),
  kinds: z.array(z.string()),
  heapMb: z.number(),
})
export type Status = z.infer<typeof status>

const ready = z.object({ ready: z.literal(true), peer: z.string(), addresses: z.array(z.string()) }).loose()
const answerLine = z.object({ id: z.number(), answer: z.unknown(), failed: z.string().optional() })
const relayLine = z.object({ pass: z.string() }).loose()

/** One process of an application under test. */
export interface ApplicationProcess {
  readonly name: string
  readonly pid: number
  readonly peer: string
  readonly addresses: readonly string[]
  /** Further fields of its ready line. */
  readonly details: Readonly<Record<string, unknown>>
  usage(): Promise<Usage>
  request(command: string, parameters?: object): Promise<unknown>
  status(): Promise<Status>
  /** Stops it; milliseconds until the process exited by itself. NaN after a kill. */
  stop(): Promise<number>
  kill(): void
}

export interface ApplicationProgram {
  readonly name: string
  readonly directory: string
  readonly file: string
  readonly env: NodeJS.ProcessEnv
  /** The program requests this command of the others of its side. */
  readonly pass: (command: string, parameters: object) => void
}

const bounds = { readyMs: 40_000, answerMs: 20_000, exitMs: 15_000, errorChars: 4_000 }

/** Starts a program in the folder of its packages; resolves once its node listens. */
export async function startApplication(program: ApplicationProgram): Promise<ApplicationProcess> {
  const { name, directory, file, env, pass } = program
  const child = spawn(process.execPath, [file], { cwd: directory, env, stdio: ['pipe', 'pipe', 'pipe'] })
  const kill = () => void child.kill('SIGKILL')
  const exited = new Promise<number>((resolve) => child.once('exit', () => resolve(performance.now())))
  const readiness = Promise.withResolvers<z.infer<typeof ready>>()
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let lastId = 0
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-bounds.errorChars)
  })
  createInterface({ input: child.stdout }).on('line', (line) => {
    const message: unknown = JSON.parse(line)
    const { data: answer } = answerLine.safeParse(message)
    const { data: relayed } = relayLine.safeParse(message)
    const { data: start } = ready.safeParse(message)
    if (start !== undefined) readiness.resolve(start)
    if (relayed !== undefined) pass(relayed.pass, relayed)
    if (answer === undefined) return
    if (answer.failed === undefined) waiting.get(answer.id)?.resolve(answer.answer)
    else waiting.get(answer.id)?.reject(new Error(`${name}: ${answer.failed}`))
    waiting.delete(answer.id)
  })
  const ended = () => new Error(`${name} has exited (${child.exitCode ?? child.signalCode}): ${errors}`)
  child.once('exit', () => {
    readiness.reject(ended())
    for (const { reject } of waiting.values()) reject(ended())
  })
  const request = (command: string, parameters: object = {}) => {
    const id = ++lastId
    const answer = Promise.withResolvers<unknown>()
    waiting.set(id, answer)
    child.stdin.write(`${JSON.stringify({ id, command, ...parameters })}\n`)
    return within(answer.promise, bounds.answerMs, `${name} did not answer ${command}`)
  }
  const stop = async () => {
    const began = performance.now()
    const timer = setTimeout(kill, bounds.exitMs)
    await request('stop').catch(() => undefined)
    const tookMs = (await exited) - began
    clearTimeout(timer)
    return child.signalCode === null ? tookMs : Number.NaN
  }
  const { peer, addresses, ...details } = await within(readiness.promise, bounds.readyMs, `${name} is not ready`).catch(
    (error: Error) => {
      kill()
      throw new Error(`${error.message}: ${errors}`)
    },
  )
  const pid = child.pid ?? 0
  const ownStatus = async () => status.parse(await request('status'))
  return { name, pid, peer, addresses, details, usage: () => processUsage(pid), request, status: ownStatus, stop, kill }
}

async function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`${what} within ${ms} ms`)), ms)
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer))
}
