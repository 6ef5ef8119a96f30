import { addAbortListener } from 'node:events'
import * as z from 'zod'
import { raceAbort } from '../../kit/clock.ts'
import { Subprocess } from '../../processes/subprocess.ts'
import type { Program } from '../peer-process.ts'

/** How the lives of a process end: in order, by a reset of their connections, or by SIGKILL of their process. */
export type Departure = 'stop' | 'abort' | 'kill'

/** Starts a process of lives with these arguments; see `lives.js`. */
export type Crowd = (args: readonly string[]) => Program

export interface CrowdLoad {
  /** Addresses of the hub; the lives use them in turn. */
  readonly hub: readonly string[]
  readonly events: number
  /** Lives that begin per second. */
  readonly rate: number
  readonly signal: AbortSignal
}

/** What became of the lives. */
export interface CrowdResult {
  readonly lives: number
  /** CPU of the processes of the lives, their starts included. */
  readonly cpuMs: number
  readonly failed: number
  /** Reasons of some failures. */
  readonly failures: readonly string[]
  /** Events per second. */
  readonly rate: number
}

/** Identities of a killed process. */
export const killedTogether = 25
/** Lanes that run at the same time, each with a third of the rate; a killed process is followed by the next. */
const departures: readonly Departure[] = ['stop', 'abort', 'kill']
/** Events are a multiple of it: whole processes in each lane. */
export const eventStep = departures.length * killedTogether
const limits = { readyMs: 30_000, graceMs: 60_000 }

/** Lets peers with fresh identities join, talk and leave: a third of them in each way. */
export async function runCrowd(crowd: Crowd, { events, rate, ...load }: CrowdLoad): Promise<CrowdResult> {
  const perLane = events / departures.length
  const startedAt = performance.now()
  const lanes = departures.map((departure) =>
    runLane(crowd, departure, { ...load, events: perLane, rate: rate / departures.length }),
  )
  const results = (await Promise.all(lanes)).flat()
  return {
    lives: sum(results.map(({ lives }) => lives)),
    cpuMs: sum(results.map(({ cpuMs }) => cpuMs)),
    failed: sum(results.map(({ failed }) => failed)),
    failures: results.flatMap(({ failures }) => failures).slice(0, 5),
    rate: (events * 1_000) / (performance.now() - startedAt),
  }
}

/** Loads the next process while the lives of the current one run. */
async function runLane(crowd: Crowd, departure: Departure, { hub, events, rate, signal }: CrowdLoad): Promise<Lived[]> {
  const size = departure === 'kill' ? killedTogether : events
  const results: Lived[] = []
  const start = () => startLives(crowd, [hub.join(','), `${size}`, departure, `${rate}`], signal)
  let next: Promise<Lives> | undefined = start()
  for (let left = events; left > 0 && next !== undefined; left -= size) {
    const lives: Lives = await next
    const running = lives.run(limits.graceMs + (size * 1_000) / rate)
    next = left > size ? start() : undefined
    // A rejection is handled at its `await`.
    next?.catch(() => {})
    results.push(await running)
  }
  return results
}

const livedSchema = z.object({
  event: z.literal('lived'),
  lives: z.int(),
  cpuMs: z.number(),
  failed: z.int(),
  failures: z.array(z.string()),
})
type Lived = z.output<typeof livedSchema>

interface Lives {
  /** Begins the lives, and resolves once the process has exited. */
  run(limitMs: number): Promise<Lived>
}

async function startLives(crowd: Crowd, args: readonly string[], signal: AbortSignal): Promise<Lives> {
  const ready = Promise.withResolvers<void>()
  const lived = Promise.withResolvers<Lived>()
  const { command, args: programArgs, env } = crowd(args)
  const child = new Subprocess({
    name: 'lives',
    command: [command, ...programArgs],
    env,
    input: true,
    onLine: (line) => {
      const event: unknown = JSON.parse(line)
      const parsed = livedSchema.safeParse(event)
      if (parsed.success) lived.resolve(parsed.data)
      else ready.resolve()
    },
  })
  // It exits with its input; one that hangs is killed.
  const listener = addAbortListener(signal, () => void child.endInput(1_000))
  void child.exited.then(() => listener[Symbol.dispose]())
  await child.ready(ready.promise, limits.readyMs)
  return {
    run: async (limitMs) => {
      child.write('go\n')
      const timer = setTimeout(() => child.signal('SIGKILL'), limitMs)
      try {
        const result = await raceAbort(child.ended, lived.promise)
        await child.exited
        return result
      } catch (error) {
        signal.throwIfAborted()
        throw error
      } finally {
        clearTimeout(timer)
      }
    },
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}
