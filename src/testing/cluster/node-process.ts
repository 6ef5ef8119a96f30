import { dieWithParent, type LogEntry, nodeCommand, parseLogLine } from '../../processes/node-program.ts'
import { Subprocess } from '../../processes/subprocess.ts'
import { fetchJson, type ProcessHost } from './process-host.ts'
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
  /** Lines of its standard output, oldest first, at most `bounds.logLines`. */
  readonly log: readonly LogEntry[]
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

export interface ProcessOptions {
  readonly name: string
  /** Absolute path of a module. */
  readonly entry: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** By default this machine. */
  readonly host?: ProcessHost | undefined
}

const bounds = { logLines: 20_000, startMs: 60_000, stopMs: 6_000 }

/** Starts a process as the launcher does, and resolves once it logs `listening`. */
export async function startProcess({ name, entry, args, env, host }: ProcessOptions): Promise<NodeProcess> {
  const log: LogEntry[] = []
  const listening = Promise.withResolvers<LogEntry>()
  const child = new Subprocess({
    name,
    command: [...(host?.through ?? []), ...nodeCommand(entry, args, [dieWithParent])],
    env: { ...env, TRACEMESH_NO_BUNDLED_NODE: '1' },
    ipc: true,
    onLine: (line) => {
      const entry = parseLogLine(line)
      log.push(entry)
      if (entry['msg'] === 'listening') listening.resolve(entry)
      if (log.length > bounds.logLines) log.splice(0, log.length - bounds.logLines)
    },
  })
  const { peer = '', addresses = [], admin = '' } = await child.ready(listening.promise, bounds.startMs)
  const adminUrl = String(admin)
  return {
    name,
    pid: child.pid,
    peer: String(peer),
    addresses: addresses as string[],
    adminUrl,
    log,
    exited: child.exited.then(({ code }) => code),
    kill: (signal = 'SIGKILL') => child.signal(signal),
    pause: () => child.signal('SIGSTOP'),
    resume: () => child.signal('SIGCONT'),
    stop: async () => (await child.stop(bounds.stopMs)).code ?? -1,
    send: (message) => child.send(message),
    api: (path) => (host?.fetchJson ?? fetchJson)(`${adminUrl}${path}`),
    usage: () => processUsage(child.pid),
  }
}
