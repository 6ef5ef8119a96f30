import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { processSettings } from '../../launcher.js'
import { fetchJson } from './fetch-json.ts'
import type { ProcessHost } from './process-host.ts'
import { processUsage, type Usage } from './process-usage.ts'

/** One real process of a mesh, under control of a test. */
export interface NodeProcess {
  readonly name: string
  readonly pid: number
  /** Own peer id. */
  readonly peer: string
  readonly addresses: readonly string[]
  /** Empty without an HTTP API. */
  readonly adminUrl: string
  /** Lines of its standard output, oldest first, at most `bounds.logLines`. Text lines are `{ text }`. */
  readonly log: readonly LogLine[]
  readonly exited: Promise<number | null>
  /** SIGKILL by default. */
  kill(signal?: NodeJS.Signals): void
  pause(): void
  resume(): void
  /** Sends SIGTERM and resolves with its exit code; -1 if it needed SIGKILL. */
  stop(): Promise<number>
  /** Sends a message to an entry program that listens for it (`process.on('message')`). */
  send(message: object): void
  /** Answer of its HTTP API. Rejects without an answer and on any status but 200. */
  api<T>(path: string): Promise<T>
  usage(): Promise<Usage>
}

export type LogLine = Readonly<Record<string, unknown>>

export interface ProcessOptions {
  readonly name: string
  /** Absolute path of a module. */
  readonly entry: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** By default this machine. */
  readonly host?: ProcessHost | undefined
  /** Called as soon as the process exists, long before it listens. */
  readonly onSpawn?: (child: { readonly kill: () => void }) => void
}

const bounds = { logLines: 20_000, errorChars: 8_000, startMs: 60_000, stopMs: 6_000 }

const guard = fileURLToPath(new URL('./die-with-parent.js', import.meta.url))

/** Starts a process as the launcher does, and resolves once it logs `listening`. */
export async function startProcess({ name, entry, args, env, host, onSpawn }: ProcessOptions): Promise<NodeProcess> {
  const types = process.execArgv.filter((flag) => flag === '--experimental-strip-types')
  const [execPath = process.execPath, ...before] = [...(host?.through ?? []), process.execPath]
  const child = fork(entry, args, {
    execPath,
    execArgv: [...before, ...types, processSettings.flag, '--disable-warning=ExperimentalWarning', `--import=${guard}`],
    env: { ...processSettings.env, ...env, TRACEMESH_NO_BUNDLED_NODE: '1' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const { log, errors, firstListening } = outputOf(child)
  const exited = new Promise<number | null>((resolve) => {
    child.once('close', (code) => resolve(code))
  })
  const kill = (signal: NodeJS.Signals) => void child.kill(signal)
  onSpawn?.({ kill: () => kill('SIGKILL') })
  const { promise, resolve, reject } = Promise.withResolvers<LogLine>()
  child.once('error', reject)
  firstListening.then(resolve)
  exited.then((code) => reject(new Error(`${name} ended with ${code} before it listened: ${errors()}`)))
  const onTimeout = () => {
    kill('SIGKILL')
    reject(new Error(`${name} did not listen within ${bounds.startMs} ms: ${errors()}`))
  }
  const timer = setTimeout(onTimeout, bounds.startMs)
  const listening = await promise.finally(() => clearTimeout(timer))
  const adminUrl = String(listening['admin'] ?? '')
  return {
    name,
    pid: child.pid ?? 0,
    peer: String(listening['peer'] ?? ''),
    addresses: (listening['addresses'] as string[] | undefined) ?? [],
    adminUrl,
    log,
    exited,
    kill: (signal = 'SIGKILL') => kill(signal),
    pause: () => kill('SIGSTOP'),
    resume: () => kill('SIGCONT'),
    stop: () => stop(child, exited),
    send: (message) => void child.send(message),
    api: (path) => (host?.fetchJson ?? fetchJson)(`${adminUrl}${path}`),
    usage: () => processUsage(child.pid ?? 0),
  }
}

/** The output lines, and the first `listening` line. */
function outputOf(child: ChildProcess): { log: LogLine[]; errors: () => string; firstListening: Promise<LogLine> } {
  const log: LogLine[] = []
  const { promise: firstListening, resolve } = Promise.withResolvers<LogLine>()
  let rest = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines.map(parseLine)) {
      log.push(line)
      if (line['msg'] === 'listening') resolve(line)
    }
    if (log.length > bounds.logLines) log.splice(0, log.length - bounds.logLines)
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-bounds.errorChars)
  })
  const errors = () =>
    `${stderr}\n${log
      .slice(-3)
      .map((line) => JSON.stringify(line))
      .join('\n')}`
  return { log, errors, firstListening }
}

function parseLine(line: string): LogLine {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as LogLine) : { text: line }
  } catch {
    return { text: line }
  }
}

async function stop(child: ChildProcess, exited: Promise<number | null>): Promise<number> {
  child.kill('SIGTERM')
  // A paused process receives SIGTERM only once it continues.
  child.kill('SIGCONT')
  const timer = setTimeout(() => child.kill('SIGKILL'), bounds.stopMs)
  return exited.then((code) => code ?? -1).finally(() => clearTimeout(timer))
}
