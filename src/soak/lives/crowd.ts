import { addAbortListener } from 'node:events'
import * as z from 'zod'
import { raceAbort } from '../../kit/clock.ts'
import { Subprocess } from '../../processes/subprocess.ts'

/** How the lives of a process end: in order, by a reset of their connections, or by SIGKILL of their process. */
export type Departure = 'stop' | 'abort' | 'kill'

/** How to start a process of lives. */
export interface LivesProgram {
  readonly command: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
}

/** The program of lives with these arguments; see `lives.js`. */
export type Crowd = (args: readonly string[]) => LivesProgram

export interface CrowdLoad {
  /** Addresses of nodes; the lives use them in turn. */
  readonly hub: readonly string[]
  readonly events: number
  /** Lives that begin per second. */
  readonly rate: number
  readonly signal: AbortSignal
  /** Seconds after which no life begins, even if the machine was too busy for all of them. */
  readonly seconds?: number
  /** Lives of a process that ends in order, which may get slow; without a limit by default. */
  readonly livesPerProcess?: number
  /** Identities of a killed process; 25 by default. */
  readonly killed?: number
  /** Gets the reason of a failure, or an empty text, after each life. */
  readonly onLife?: (failure: string) => void
}

/** What became of the lives. */
export interface CrowdResult {
  readonly lives: number
  /** CPU of the processes of the lives, their starts included. */
  readonly cpuMs: number
  readonly failed: number
  /** Reasons of some failures. */
  readonly failures: readonly string[]
  /** Lives per second. */
  readonly rate: number
}

/** Identities of a killed process. */
export const killedTogether = 25
/** Lanes that run at the same time, each with a third of the rate; a process of a lane is followed by the next. */
const departures: readonly Departure[] = ['stop', 'abort', 'kill']
/** With a multiple of it each lane has whole processes. */
export const eventStep = departures.length * killedTogether
/** On a busy machine a process loads for a minute. */
const limits = { readyMs: 120_000, graceMs: 60_000 }

/** Lets peers with fresh identities join, talk and leave: a third of them in each way. */
export async function runCrowd(crowd: Crowd, { events, rate, ...load }: CrowdLoad): Promise<CrowdResult> {
  const perLane = Math.ceil(events / departures.length)
  const startedAt = performance.now()
  const failed = new AbortController()
  const signal = AbortSignal.any([load.signal, failed.signal])
  const lanes = departures.map((departure) =>
    runLane(crowd, departure, { ...load, signal, events: perLane, rate: rate / departures.length }).catch((error) => {
      failed.abort(error)
      throw error
    }),
  )
  // No process is left when it rejects.
  await Promise.allSettled(lanes)
  const results = (await Promise.all(lanes)).flat()
  const lives = sum(results.map((one) => one.lives))
  return {
    lives,
    cpuMs: sum(results.map(({ cpuMs }) => cpuMs)),
    failed: sum(results.map(({ failed }) => failed)),
    failures: results.flatMap(({ failures }) => failures).slice(0, 5),
    rate: (lives * 1_000) / (performance.now() - startedAt),
  }
}

/** Loads the next process while the lives of the current one run. */
async function runLane(crowd: Crowd, departure: Departure, load: CrowdLoad): Promise<Lived[]> {
  const { hub, events, rate, seconds = Number.POSITIVE_INFINITY, killed = killedTogether, signal, onLife } = load
  const size = departure === 'kill' ? killed : Math.min(events, load.livesPerProcess ?? events)
  let endsAt = Number.NaN
  const results: Lived[] = []
  const start = (count: number) => startLives(crowd, [hub.join(','), `${count}`, departure, `${rate}`], load)
  let next: Promise<Lives> | undefined = start(Math.min(size, events))
  try {
    for (let left = events; next !== undefined; left -= size) {
      const lives: Lives = await next
      // The first process has to load before the time begins.
      if (Number.isNaN(endsAt)) endsAt = performance.now() + seconds * 1_000
      const remaining = (endsAt - performance.now()) / 1_000
      if (remaining <= 0) break
      const running = lives.run(remaining, limits.graceMs + (Math.min(size, left) * 1_000) / rate)
      next = left > size ? start(Math.min(size, left - size)) : undefined
      // A rejection is handled at its `await`.
      next?.catch(() => {})
      const lived = await running.catch((error: unknown) => {
        // Of a soak a process that a starved machine does not end is a failure, and the next one follows.
        if (signal.aborted || onLife === undefined) throw error
        onLife(String(error).slice(0, 200))
        return []
      })
      results.push(...[lived].flat())
    }
    return results
  } finally {
    await next?.then(
      (lives) => lives.end(),
      () => {},
    )
  }
}

const livedSchema = z.object({
  event: z.literal('lived'),
  lives: z.int(),
  cpuMs: z.number(),
  failed: z.int(),
  failures: z.array(z.string()),
})
const eventSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('ready') }),
  z.object({ event: z.literal('life'), failure: z.string() }),
  livedSchema,
])
type Lived = z.output<typeof livedSchema>

interface Lives {
  /** Begins the lives, for so many seconds at most, and resolves once the process has exited. */
  run(seconds: number, limitMs: number): Promise<Lived>
  /** Ends the process without any. */
  end(): Promise<unknown>
}

async function startLives(
  crowd: Crowd,
  args: readonly string[],
  { signal, onLife }: Pick<CrowdLoad, 'signal' | 'onLife'>,
): Promise<Lives> {
  signal.throwIfAborted()
  const ready = Promise.withResolvers<void>()
  const lived = Promise.withResolvers<Lived>()
  const { command, args: programArgs, env } = crowd(args)
  const child = new Subprocess({
    name: 'lives',
    command: [command, ...programArgs],
    env,
    input: true,
    // A Ctrl-C at the terminal is for the process that started it.
    ownGroup: true,
    onLine: (line) => {
      const event = eventSchema.parse(JSON.parse(line))
      if (event.event === 'lived') lived.resolve(event)
      else if (event.event === 'life') onLife?.(event.failure)
      else ready.resolve()
    },
  })
  // It exits with its input; one that hangs is killed.
  const listener = addAbortListener(signal, () => void child.endInput(1_000))
  void child.exited.then(() => listener[Symbol.dispose]())
  await child.ready(ready.promise, limits.readyMs)
  return {
    end: () => child.endInput(1_000),
    run: async (seconds, limitMs) => {
      child.write(Number.isFinite(seconds) ? `${seconds.toFixed(3)}\n` : 'go\n')
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
