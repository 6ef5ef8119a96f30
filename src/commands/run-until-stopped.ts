import { constants } from 'node:os'
import { exitCodes } from './exit-codes.ts'

/** Anything that runs until it is told to stop. */
export interface Stoppable {
  /**
   * `cause`: the signal's name. The process ends after `withinMs` milliseconds, whether it has stopped or not. Resolves
   * to the exit code, if it is not 0.
   */
  stop(cause: string, withinMs: number): Promise<unknown>
  /** Resolves to the cause when it is to be stopped without a signal. */
  readonly stopRequest?: Promise<string>
}

/** What of the process is needed: a test passes its own. */
export interface SignalHost {
  on(event: NodeJS.Signals | 'disconnect', listener: (signal: NodeJS.Signals) => void): unknown
  off(event: NodeJS.Signals | 'disconnect', listener: (signal: NodeJS.Signals) => void): unknown
  /** Whether it was started with a channel to its parent and the parent has gone meanwhile. */
  isOrphaned(): boolean
  /** Says on standard error what nobody else has said. */
  printError(text: string): void
  /** Ends the process at once. */
  exit(code: number): void
  /** Monotonic milliseconds. */
  now(): number
  /** Calls `run` after `ms`; the returned function cancels. */
  after(ms: number, run: () => void): () => void
}

const stopSignals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** From the first signal to the end of the process, whatever hangs. */
const stopLimitMs = 5_000

/**
 * A Ctrl-C reaches the whole process group, and npm and the launcher pass it on besides: within this time it is still
 * the same one. Longer than any of them takes, shorter than an impatient hand. Guess.
 */
const sameSignalMs = 300

/** This process. */
export const host: SignalHost = {
  on: (event, listener) => process.on(event as NodeJS.Signals, listener),
  off: (event, listener) => process.off(event as NodeJS.Signals, listener),
  // Without a channel it is undefined.
  isOrphaned: () => process.connected === false,
  printError: (text) => void process.stderr.write(`${text}\n`),
  exit: (code) => process.exit(code),
  now: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}

/**
 * Starts something and, on the first signal or when it ends by itself, stops it in order: then exits with 0 or what
 * `stop` says, or with 1 when that failed or took longer than `limitMs`, 5 s unless given. A second signal exits at
 * once with 128 and its number. A signal during the start waits for it. Throws what `start` throws.
 */
export async function runUntilStopped(
  start: () => Promise<Stoppable>,
  signalHost: SignalHost = host,
  limitMs = stopLimitMs,
): Promise<number> {
  const { promise: stopCause, resolve: requestStop } = Promise.withResolvers<string>()
  let stopRequestedAt: number | undefined
  let cancelLimit = () => {}
  const beginStop = (cause: string) => {
    stopRequestedAt = signalHost.now()
    cancelLimit = signalHost.after(limitMs, () => signalHost.exit(exitCodes.failure))
    requestStop(cause)
  }
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopRequestedAt === undefined) beginStop(signal)
    else if (signalHost.now() - stopRequestedAt > sameSignalMs) signalHost.exit(128 + constants.signals[signal])
  }
  for (const signal of stopSignals) signalHost.on(signal, onSignal)
  // A process that was started with a channel to its parent does not outlive it.
  const onParentExit = () => onSignal('SIGHUP')
  signalHost.on('disconnect', onParentExit)
  // It may have gone while this process was loading.
  if (signalHost.isOrphaned()) onParentExit()
  let code: number = exitCodes.ok
  try {
    const running = await start()
    running.stopRequest?.then((cause) => {
      if (stopRequestedAt === undefined) beginStop(cause)
    })
    const cause = await stopCause
    const withinMs = limitMs - (signalHost.now() - (stopRequestedAt ?? signalHost.now()))
    try {
      const answer = await running.stop(cause, withinMs)
      if (typeof answer === 'number') code = answer
    } catch (error) {
      signalHost.printError(`it did not stop in order: ${error instanceof Error ? error.message : error}`)
      code = exitCodes.failure
    }
  } finally {
    cancelLimit()
    for (const signal of stopSignals) signalHost.off(signal, onSignal)
    signalHost.off('disconnect', onParentExit)
  }
  // A native thread or a forgotten handle must not keep a stopped node alive.
  signalHost.exit(code)
  return code
}
