import { constants } from 'node:os'
import { errorMessage } from '../core/errors.ts'
import { exitCodes } from './command.ts'

/** A service that runs until it is stopped. */
export interface Stoppable {
  /**
   * `cause`: the signal's name. The process exits after `withinMs` milliseconds even if the stop hangs. Resolves to the
   * exit code, if it is not 0.
   */
  stop(cause: string, withinMs: number): Promise<unknown>
  /** Resolves to the cause when the service requests its own stop. */
  readonly stopRequest?: Promise<string>
}

/** The parts of the process that `runUntilStopped` uses: a test passes its own. */
export interface SignalHost {
  on(event: NodeJS.Signals | 'disconnect', listener: (signal: NodeJS.Signals) => void): unknown
  off(event: NodeJS.Signals | 'disconnect', listener: (signal: NodeJS.Signals) => void): unknown
  /** Whether the process had an IPC channel to its parent, and the parent has exited. */
  isOrphaned(): boolean
  /** Writes a line to standard error. */
  printError(text: string): void
  /** Exits the process at once. */
  exit(code: number): void
  /** Monotonic milliseconds. */
  now(): number
  /** Calls `run` after `ms`; the returned function cancels. */
  after(ms: number, run: () => void): () => void
}

const stopSignals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** From the first signal to the exit of the process, even if the stop hangs. */
const stopLimitMs = 4_000

/**
 * A Ctrl-C reaches the whole process group, and npm and the launcher forward it in addition: signals within this time
 * count as one. Longer than forwarding takes, shorter than a second key press. Guess.
 */
const sameSignalMs = 300

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
 * Starts a service and stops it in order on the first signal or at its own request. Then exits with 0 or the result of
 * `stop`, or with 1 when the stop failed or took longer than `limitMs`, 4 s by default. A second signal exits at once
 * with 128 plus its number. A signal during the start takes effect after it. Throws the error of `start`.
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
  // A process with an IPC channel to its parent stops with it.
  const onParentExit = () => onSignal('SIGHUP')
  signalHost.on('disconnect', onParentExit)
  // The parent may have exited while this process was loading.
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
      signalHost.printError(`stop failed: ${errorMessage(error)}`)
      code = exitCodes.failure
    }
  } finally {
    cancelLimit()
    for (const signal of stopSignals) signalHost.off(signal, onSignal)
    signalHost.off('disconnect', onParentExit)
  }
  // A native thread or an open handle must not keep a stopped process alive.
  signalHost.exit(code)
  return code
}
