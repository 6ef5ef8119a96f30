import { connect, type Server, type Socket } from 'node:net'
import { pipeline } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { raceAbort } from '../../kit/clock.ts'
import { dieWithParent, nodeCommand } from '../../processes/node-program.ts'
import { Subprocess } from '../../processes/subprocess.ts'
import type { ProcessHost } from '../cluster/process-host.ts'
import type { AgentMessage, AgentRequest } from './agent.ts'
import { env, run } from './commands.ts'
import type { Transport } from './echo.ts'

const agent = fileURLToPath(new URL('./agent.ts', import.meta.url))

const bounds = { startMs: 60_000, presentMs: 10_000, absentMs: 700, pending: 64, sockets: 64 }

/** A network namespace, controlled by this process from outside. Cluster processes can run in it. */
export interface Namespace extends ProcessHost {
  /** The process that keeps it alive. */
  readonly pid: number
  readonly fetchJson: <T>(url: string) => Promise<T>
  readonly forward: (endpoint: string) => string
  /** Whether a host answers at this address when asked from inside, within 10 s. */
  reaches(transport: Transport, address: string): Promise<boolean>
  /** Whether no host answers there within 0.7 s; an answer takes milliseconds. */
  cannotReach(transport: Transport, address: string): Promise<boolean>
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
  const { pid, server, port, request, end } = await startAgent(within === undefined ? ['unshare', ...unshare] : inner)
  const through = enter(pid, '-n', '-m')
  const { forward, close: closeForwarder } = forwarder(server, port)
  return {
    pid,
    through,
    run: (command, input) => run([...through, ...command], input),
    fetchJson: (url) => request({ url }),
    reaches: (transport, address) => request({ transport, address, limitMs: bounds.presentMs }),
    cannotReach: async (transport, address) => !(await request({ transport, address, limitMs: bounds.absentMs })),
    forward,
    close: async () => {
      closeForwarder()
      await end()
    },
  }
}

interface Agent {
  readonly pid: number
  /** The listener inside, and its port. */
  readonly server: Server
  readonly port: number
  /** Resolves with the agent's answer. */
  request<T>(request: AgentRequest['request']): Promise<T>
  end(): Promise<void>
}

async function startAgent(prefix: readonly string[]): Promise<Agent> {
  const listening = Promise.withResolvers<Pick<Agent, 'server' | 'port'>>()
  const pending = new Map<number, PromiseWithResolvers<unknown>>()
  let last = 0
  const child = new Subprocess({
    name: `a network namespace of ${prefix.join(' ')}`,
    command: [...prefix, ...nodeCommand(agent, [], [dieWithParent])],
    env,
    ipc: true,
    onMessage: (data, handle) => {
      const message = data as AgentMessage
      if ('listening' in message) listening.resolve({ server: handle as Server, port: message.listening })
      else if ('error' in message) pending.get(message.id)?.reject(new Error(message.error))
      else pending.get(message.id)?.resolve(message.body)
    },
  })
  return {
    pid: child.pid,
    ...(await child.ready(listening.promise, bounds.startMs)),
    request: async <T>(request: AgentRequest['request']) => {
      if (pending.size >= bounds.pending) throw new Error(`${bounds.pending} requests are pending`)
      last++
      const id = last
      const answer = Promise.withResolvers<unknown>()
      pending.set(id, answer)
      child.send({ id, request } satisfies AgentRequest)
      return (await raceAbort(child.ended, answer.promise).finally(() => pending.delete(id))) as T
    },
    end: async () => void (await child.stop(0, 'SIGKILL')),
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
