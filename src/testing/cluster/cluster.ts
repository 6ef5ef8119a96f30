import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Role } from '../../catalogue/roles.ts'
import { freeUdpPorts } from '../../processes/free-ports.ts'
import { nodeEnvironment } from '../../processes/node-program.ts'
import { type Receiver, startReceiver } from '../otlp/otlp-receiver.ts'
import { violationsIn } from '../span-contract.ts'
import { type NodeProcess, startProcess } from './node-process.ts'
import type { ProcessHost } from './process-host.ts'

export { until } from '../../processes/waiting.ts'
export type { NodeProcess } from './node-process.ts'
export type { Usage } from './process-usage.ts'

export interface ClusterOptions {
  /** The receiver of all spans; by default the cluster starts one. `none` turns export off. */
  readonly receiver?: Receiver | 'none'
  /** For every process. */
  readonly env?: Readonly<Record<string, string>>
  /** Its nodes may be of another version, so their spans are not compared with the catalogue. */
  readonly hasOtherVersions?: boolean
}

export interface NodeOptions {
  readonly role?: Role
  readonly seeds?: readonly string[]
  /** By default one QUIC port on loopback, the same at every start of this name. */
  readonly listen?: readonly string[]
  readonly mesh?: string
  /** Stores the key in a file by this name, so that the next start has the same identity. */
  readonly keepIdentity?: boolean
  readonly env?: Readonly<Record<string, string>>
  /** Absolute path of a program to run in place of `tracemesh node`; it gets the same environment. */
  readonly entry?: string
  /** Added to the command line. */
  readonly args?: readonly string[]
  /** The host it runs on; by default this machine, on loopback. */
  readonly host?: ProcessHost
}

/** Real node processes on loopback, which end when their parent process ends. */
export interface Cluster extends AsyncDisposable {
  /** Throws when the cluster runs without a receiver. */
  readonly receiver: Receiver
  /** Resolves once the node listens. Rejects when it fails to listen, or when a node of this name still runs. */
  node(name: string, options?: NodeOptions): Promise<NodeProcess>
  /** Multiaddr, without `/p2p`, that a node of this name listens at, now or later. */
  address(name: string): string
  /** The running nodes. */
  nodes(): readonly NodeProcess[]
  /**
   * Stops every process it started, and removes their files. Rejects when the receiver has a span that differs from its
   * declaration.
   */
  close(): Promise<void>
}

/** Node names per cluster: each has its own port. */
const names = 32

const bin = fileURLToPath(new URL('../../bin.js', import.meta.url))

export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { receiver, env = {}, hasOtherVersions = false } = options
  const own = receiver === undefined ? await startReceiver() : undefined
  const target = receiver === 'none' ? undefined : (receiver ?? own)
  const directory = await mkdtemp(join(tmpdir(), 'tracemesh-'))
  const ports = await freeUdpPorts(names)
  const portOf = new Map<string, number>()
  /** By name; a node that does not listen yet is undefined. */
  const running = new Map<string, NodeProcess | undefined>()
  const starting = new Set<Promise<NodeProcess>>()
  const nodes = () => [...running.values()].filter((node) => node !== undefined)
  // The others end by themselves; a paused one cannot.
  const atExit = () => {
    for (const one of nodes()) one.kill()
    rmSync(directory, { recursive: true, force: true })
  }
  process.once('exit', atExit)

  let closing: Promise<void> | undefined

  const address = (name: string) => {
    const port = portOf.get(name) ?? ports[portOf.size]
    if (port === undefined) throw new Error(`a cluster has ports for ${names} names at most`)
    portOf.set(name, port)
    return `/ip4/127.0.0.1/udp/${port}/quic-v1`
  }
  const node = async (name: string, options: NodeOptions = {}) => {
    if (running.has(name)) throw new Error(`${name} is already running`)
    if (closing !== undefined) throw new Error('this cluster is closed')
    running.set(name, undefined)
    const start = startProcess({
      name,
      entry: options.entry ?? bin,
      args: [...(options.entry === undefined ? ['node'] : []), ...(options.args ?? [])],
      env: { ...nodeEnvironment(), DEBUG: undefined, ...settings(name, options), ...env, ...options.env },
      host: options.host,
    })
    starting.add(start)
    try {
      const nodeProcess = await start
      running.set(name, nodeProcess)
      nodeProcess.exited.then(() => running.delete(name))
      return nodeProcess
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
    MESH_OTLP: target === undefined ? 'off' : (options.host?.forward?.(target.endpoint) ?? target.endpoint),
    ...(options.keepIdentity ? { MESH_IDENTITY: join(directory, `${name}.key`) } : {}),
  })
  const close = async () => {
    // A node that is still starting can be stopped only once it runs.
    await Promise.allSettled(starting)
    await Promise.all(nodes().map((one) => one.stop()))
    process.off('exit', atExit)
    await own?.close()
    await rm(directory, { recursive: true, force: true })
    const violations = hasOtherVersions ? [] : violationsIn(target?.spans ?? [])
    if (violations.length > 0) throw new Error(`spans differ from the catalogue: ${violations.join('; ')}`)
  }
  const closeOnce = () => {
    closing ??= close()
    return closing
  }
  return {
    get receiver() {
      if (target === undefined) throw new Error('this cluster runs without a receiver')
      return target
    },
    node,
    address,
    nodes,
    close: closeOnce,
    [Symbol.asyncDispose]: closeOnce,
  }
}
