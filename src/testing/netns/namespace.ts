import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Server, type Socket } from 'node:net'
import { pipeline } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { ProcessHost } from '../cluster/process-host.ts'
import type { AgentMessage, AgentRequest } from './agent.ts'
import { env, run } from './commands.ts'
import type { Transport } from './echo.ts'

const agent = fileURLToPath(new URL('./agent.ts', import.meta.url))
const guard = fileURLToPath(new URL('../cluster/die-with-parent.js', import.meta.url))

const bounds = { startMs: 20_000, pending: 64, sockets: 64 }

/** A network namespace, controlled by this process from outside. Cluster processes can run in it. */
export interface Namespace extends ProcessHost {
  /** The process that keeps it alive. */
  readonly pid: number
  readonly fetchJson: <T>(url: string) => Promise<T>
  readonly forward: (endpoint: string) => string
  /** Whether a host answers at this address when asked from inside. */
  reaches(transport: Transport, address: string): Promise<boolean>
  /** Runs a command inside. */
  run(command: readonly string[], input?: string): Promise<string>
  close(): Promise<void>
}

/**
 * Starts a namespace by `unshare` and its flags, inside the user namespace of `within` if that is set. It has no name
 * in the file system: the kernel removes it with its last process, however that ends.
 */
export async function startNamespace(unshare: readonly string[], within?: Namespace): Promise<Namespace> {
  const inUser = unshare.some((flag) => flag.startsWith('-U'))
  const enter = (pid: number, ...what: readonly string[]) => {
    const user = inUser ? ['-U', '--preserve-credentials'] : []
    return ['nsenter', '-t', String(pid), ...user, ...what, '--']
  }
  const inner = inUser && within !== undefined ? [...enter(within.pid), 'unshare', '-nm'] : ['unshare', '-nm']
  const { child, server, port } = await startAgent(within === undefined ? ['unshare', ...unshare] : inner)
  const pid = child.pid ?? 0
  const through = enter(pid, '-n', '-m')
  const request = requestSender(child)
  const { forward, close: closeForwarder } = forwarder(server, port)
  return {
    pid,
    through,
    run: (command, input) => run([...through, ...command], input),
    fetchJson: (url) => request({ url }),
    reaches: (transport, address) => request({ transport, address }),
    forward,
    close: async () => {
      closeForwarder()
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}

async function startAgent(prefix: readonly string[]): Promise<{ child: ChildProcess; server: Server; port: number }> {
  const [execPath = '', ...before] = [...prefix, process.execPath]
  const types = process.execArgv.filter((flag) => flag === '--experimental-strip-types')
  const child = fork(agent, [], {
    execPath,
    execArgv: [...before, ...types, '--disable-warning=ExperimentalWarning', `--import=${guard}`],
    env,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const signal = AbortSignal.timeout(bounds.startMs)
  const ended = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`failed to start a network namespace: ${prefix.join(' ')} ended with ${code}`)
  })
  try {
    const [message, server] = (await Promise.race([once(child, 'message', { signal }), ended])) as [
      AgentMessage,
      Server,
    ]
    return { child, server, port: 'listening' in message ? message.listening : 0 }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  } finally {
    ended.catch(() => {})
  }
}

/** Sends requests to the agent and resolves with its answers. */
function requestSender(child: ChildProcess): <T>(request: AgentRequest['request']) => Promise<T> {
  const pending = new Map<number, (answer: AgentMessage) => void>()
  const ended = 'the network namespace has ended'
  let last = 0
  child.on('message', (message: AgentMessage) => {
    if ('id' in message) pending.get(message.id)?.(message)
  })
  child.on('exit', () => {
    for (const [id, answer] of pending) answer({ id, error: ended })
  })
  return async <T>(request: AgentRequest['request']) => {
    if (!child.connected) throw new Error(ended)
    if (pending.size >= bounds.pending) throw new Error(`${bounds.pending} requests are pending`)
    last++
    const id = last
    const answer = new Promise<AgentMessage>((resolve) => pending.set(id, resolve))
    child.send({ id, request } satisfies AgentRequest)
    const message = await answer.finally(() => pending.delete(id))
    if ('error' in message) throw new Error(message.error)
    return ('body' in message ? message.body : undefined) as T
  }
}

/** Pipes each connection to the namespace's listener to an endpoint outside. */
function forwarder(server: Server, port: number) {
  const sockets = new Set<Socket>()
  let target: URL | undefined
  server.on('connection', (inner: Socket) => {
    if (target === undefined || sockets.size >= bounds.sockets) return inner.destroy()
    const outer = connect(Number(target.port), target.hostname)
    for (const socket of [inner, outer]) {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    }
    // A failure of either end closes the other, as on a direct connection.
    pipeline(inner, outer, inner, () => {})
    return undefined
  })
  return {
    forward: (endpoint: string) => {
      target = new URL(endpoint)
      return `${target.protocol}//127.0.0.1:${port}`
    },
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
