import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Role } from '../catalogue/roles.ts'
import { freeUdpPorts } from '../lab/free-ports.ts'
import { type NodeProcess, startProcess } from './node-process.ts'
import { type Receiver, startReceiver } from './otlp-receiver.ts'
import type { ProcessHost } from './process-host.ts'

export type { NodeProcess } from './node-process.ts'
export type { Usage } from './process-usage.ts'
export { until } from './until.ts'

export interface ClusterOptions {
  /** Where spans go: a receiver of its own unless given; `none` turns export off. */
  readonly receiver?: Receiver | 'none'
  /** For every process. */
  readonly env?: Readonly<Record<string, string>>
}

export interface NodeOptions {
  readonly role?: Role
  readonly seeds?: readonly string[]
  /** One QUIC port on loopback unless named, the same at every start of this name. */
  readonly listen?: readonly string[]
  readonly mesh?: string
  /** A key file by this name, so that the next start has the same identity. */
  readonly keepIdentity?: boolean
  readonly env?: Readonly<Record<string, string>>
  /** Absolute path of a program to run in place of `tracemesh node`; it gets the same environment. */
  readonly entry?: string
  /** Added to the command line. */
  readonly args?: readonly string[]
  /** Where it runs; on this machine's loopback unless named. */
  readonly host?: ProcessHost
}

/** Real node processes on loopback that end with whoever started them. */
export interface Cluster extends AsyncDisposable {
  /** Throws when the cluster was started without one. */
  readonly receiver: Receiver
  /** Resolves once the node listens. Rejects when it does not, and when one of this name still runs. */
  node(name: string, options?: NodeOptions): Promise<NodeProcess>
  /** Multiaddr, without `/p2p`, that a node of this name listens at, now or later. */
  address(name: string): string
  /** Those that run. */
  nodes(): readonly NodeProcess[]
  /** Ends every process it started, and removes what they left. */
  close(): Promise<void>
}

/** A process that does not listen yet. */
interface Unready {
  readonly kill: () => void
}

/** Names that one cluster can have addresses for. */
const names = 32

const bin = fileURLToPath(new URL('../bin.js', import.meta.url))

export async function startCluster({ receiver, env = {} }: ClusterOptions = {}): Promise<Cluster> {
  const own = receiver === undefined ? await startReceiver() : undefined
  const used = receiver === 'none' ? undefined : (receiver ?? own)
  const directory = await mkdtemp(join(tmpdir(), 'tracemesh-'))
  const ports = await freeUdpPorts(names)
  const portOf = new Map<string, number>()
  const running = new Map<string, NodeProcess | Unready>()
  const starting = new Set<Promise<NodeProcess>>()
  const nodes = () => [...running.values()].filter((node) => 'pid' in node)
  const atExit = () => {
    for (const node of running.values()) node.kill()
    rmSync(directory, { recursive: true, force: true })
  }
  process.once('exit', atExit)

  let closing: Promise<void> | undefined

  const address = (name: string) => {
    const port = portOf.get(name) ?? ports[portOf.size]
    if (port === undefined) throw new Error(`a cluster has addresses for ${names} names`)
    portOf.set(name, port)
    return `/ip4/127.0.0.1/udp/${port}/quic-v1`
  }
  const node = async (name: string, options: NodeOptions = {}) => {
    if (running.has(name)) throw new Error(`${name} runs already`)
    if (closing !== undefined) throw new Error('this cluster is closed')
    running.set(name, { kill: () => {} })
    const start = startProcess({
      name,
      entry: options.entry ?? bin,
      args: [...(options.entry === undefined ? ['node'] : []), ...(options.args ?? [])],
      env: { ...inherited(), ...settings(name, options), ...env, ...options.env },
      host: options.host,
      spawned: (child) => running.set(name, child),
    })
    starting.add(start)
    try {
      const started = await start
      running.set(name, started)
      started.exited.then(() => running.delete(name))
      return started
    } catch (error) {
      running.delete(name)
      throw error
    } finally {
      starting.delete(start)
    }
  }
  const settings = (name: string, options: NodeOptions) => ({
    MESH_NAME: name,
    MESH_ROLE: options.role ?? 'compute',
    MESH_ID: options.mesh ?? 'mesh-a',
    MESH_SEEDS: (options.seeds ?? []).join(','),
    MESH_LISTEN: (options.listen ?? [address(name)]).join(','),
    MESH_OTLP: used === undefined ? 'off' : (options.host?.forward?.(used.endpoint) ?? used.endpoint),
    ...(options.keepIdentity ? { MESH_IDENTITY: join(directory, `${name}.key`) } : {}),
  })
  const close = async () => {
    // One that is just starting has to be there before it can be stopped.
    await Promise.allSettled(starting)
    await Promise.all(nodes().map((one) => one.stop()))
    process.off('exit', atExit)
    await own?.close()
    await rm(directory, { recursive: true, force: true })
  }
  const closeOnce = () => {
    closing ??= close()
    return closing
  }
  return {
    get receiver() {
      if (used === undefined) throw new Error('this cluster was started without a receiver')
      return used
    },
    node,
    address,
    nodes,
    close: closeOnce,
    [Symbol.asyncDispose]: closeOnce,
  }
}

/** What a process needs of this one's environment. Settings of meshes, telemetry and Node itself stay out. */
function inherited(): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(MESH|OTEL|NODE|DEBUG|MALLOC|TOKIO|UV)/.test(name))
  return Object.fromEntries(kept)
}
