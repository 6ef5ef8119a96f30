import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { processUsage, type Usage } from '../../testing/process-usage.ts'

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
const answered = z.object({ id: z.number(), answer: z.unknown(), failed: z.string().optional() })
const passed = z.object({ pass: z.string() }).loose()

/** One process of an application under test. */
export interface ApplicationProcess {
  readonly name: string
  readonly pid: number
  readonly peer: string
  readonly addresses: readonly string[]
  /** What it said beside its addresses when it was ready. */
  readonly said: Readonly<Record<string, unknown>>
  usage(): Promise<Usage>
  ask(command: string, parameters?: object): Promise<unknown>
  status(): Promise<Status>
  /** Stops it; milliseconds until the process was gone, which it does by itself. NaN when it had to be killed. */
  stop(): Promise<number>
  kill(): void
}

export interface ApplicationProgram {
  readonly name: string
  readonly directory: string
  readonly file: string
  readonly env: NodeJS.ProcessEnv
  /** It wants the others of its side to do this. */
  readonly pass: (command: string, parameters: object) => void
}

const bounds = { readyMs: 40_000, answerMs: 20_000, exitMs: 15_000, errorChars: 4_000 }

/** Starts a program in the folder of its packages; resolves once its node listens. */
export async function startApplication(program: ApplicationProgram): Promise<ApplicationProcess> {
  const { name, directory, file, env, pass } = program
  const child = spawn(process.execPath, [file], { cwd: directory, env, stdio: ['pipe', 'pipe', 'pipe'] })
  const kill = () => void child.kill('SIGKILL')
  const exited = new Promise<number>((resolve) => child.once('exit', () => resolve(performance.now())))
  const isReady = Promise.withResolvers<z.infer<typeof ready>>()
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let asked = 0
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-bounds.errorChars)
  })
  createInterface({ input: child.stdout }).on('line', (line) => {
    const said: unknown = JSON.parse(line)
    const { data: answer } = answered.safeParse(said)
    const { data: wish } = passed.safeParse(said)
    const { data: start } = ready.safeParse(said)
    if (start !== undefined) isReady.resolve(start)
    if (wish !== undefined) pass(wish.pass, wish)
    if (answer === undefined) return
    if (answer.failed === undefined) waiting.get(answer.id)?.resolve(answer.answer)
    else waiting.get(answer.id)?.reject(new Error(`${name}: ${answer.failed}`))
    waiting.delete(answer.id)
  })
  const ended = () => new Error(`${name} has ended (${child.exitCode ?? child.signalCode}): ${errors}`)
  child.once('exit', () => {
    isReady.reject(ended())
    for (const { reject } of waiting.values()) reject(ended())
  })
  const ask = (command: string, parameters: object = {}) => {
    const id = ++asked
    const answer = Promise.withResolvers<unknown>()
    waiting.set(id, answer)
    child.stdin.write(`${JSON.stringify({ id, ask: command, ...parameters })}\n`)
    return within(answer.promise, bounds.answerMs, `${name} did not answer ${command}`)
  }
  const stop = async () => {
    const began = performance.now()
    const timer = setTimeout(kill, bounds.exitMs)
    await ask('stop').catch(() => undefined)
    const tookMs = (await exited) - began
    clearTimeout(timer)
    return child.signalCode === null ? tookMs : Number.NaN
  }
  const { peer, addresses, ...said } = await within(isReady.promise, bounds.readyMs, `${name} is not ready`).catch(
    (error: Error) => {
      kill()
      throw new Error(`${error.message}: ${errors}`)
    },
  )
  const pid = child.pid ?? 0
  const ownStatus = async () => status.parse(await ask('status'))
  return { name, pid, peer, addresses, said, usage: () => processUsage(pid), ask, status: ownStatus, stop, kill }
}

async function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`${what} within ${ms} ms`)), ms)
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer))
}
