import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { WireRequest } from '../store/wire.ts'
import { type Cluster, type NodeOptions, type NodeProcess, startCluster } from '../testing/cluster/cluster.ts'
import { startReceiver } from '../testing/otlp/otlp-receiver.ts'
import { actCountIn, checkActs, type Required } from './act-count.ts'
import { perform } from './acts.ts'
import { leaks } from './outside/leaks.ts'
import { leastActsOf } from './plant.ts'
import { plants } from './plants.ts'
import type { Programs } from './programs.ts'
import type { Scene, SceneNode } from './scene.ts'

const maxStarts = 3
const killedLifeMs = 20_000
/** Members that must have come and gone. */
const leastGuests = 8

/** When the run went from one part to the next, milliseconds since 1970. */
export interface SceneTimes {
  readonly startedAtMs: number
  readonly plantedAtMs: number
  readonly endedAtMs: number
}

/** A scene whose processes run. */
export interface RunningScene {
  readonly cluster: Cluster
  /** Starts one of its nodes. */
  start(node: SceneNode): Promise<NodeProcess>
  /** Starts a process in which members come and go; a run in which fewer than `least` met a node does not count. */
  startGuests(name: string, least: number, env?: Readonly<Record<string, string>>): Promise<NodeProcess>
  readonly signal: AbortSignal
}

/** What a run of a scene may take. */
export interface SceneRun {
  readonly programs: Programs
  /** Gets every export request in order of arrival. */
  readonly onRequest: (request: WireRequest) => void
  readonly signal: AbortSignal
  /** The watch ends so long after the start of the first process, in milliseconds. */
  readonly maxMs?: number
}

/**
 * Runs a scene with real processes.
 *
 * @throws Error when something that the scene is about did not happen
 */
export async function runScene(scene: Scene, { programs, onRequest, signal, maxMs }: SceneRun): Promise<SceneTimes> {
  const { warmUpMs = 35_000, watchMs = 130_000 } = scene
  const directory = await mkdtemp(join(tmpdir(), 'tracemesh-zoo-'))
  await using receivers = new AsyncDisposableStack()
  receivers.defer(() => rm(directory, { recursive: true, force: true }))
  const receive = async (answerMs = 0) => {
    const receiver = await startReceiver({ onRequest, answerMs })
    receivers.defer(() => receiver.close())
    return receiver
  }
  const env = { OTEL_BSP_SCHEDULE_DELAY: '1000' }
  await using cluster = await startCluster({ receiver: await receive(), env, hasOtherVersions: true })
  const startedAtMs = Date.now()
  const ending = new AbortController()
  const actors: Actor[] = []
  const running = runningScene(scene, {
    programs,
    cluster,
    directory,
    signal: AbortSignal.any([ending.signal, signal]),
    receive,
    onActor: (actor) => void actors.push(actor),
  })
  const nodes: NodeProcess[] = []
  for (const node of scene.nodes) nodes.push(await running.start(node))
  const churning = churn(running, scene)
  churning.catch(() => {})
  try {
    await sleep(warmUpMs, undefined, { signal })
    const plantedAtMs = Date.now()
    for (const node of nodes) node.kill('SIGUSR2')
    const acting = Promise.all((scene.acts ?? []).map((act) => perform(act, scene, running)))
    acting.catch((error: unknown) => ending.abort(error))
    const leftMs = maxMs === undefined ? watchMs : Math.min(watchMs, startedAtMs + maxMs - plantedAtMs)
    await sleep(Math.max(0, leftMs), undefined, { signal: running.signal }).catch(() => running.signal.throwIfAborted())
    ending.abort()
    await acting
    checkActs(scene.name, actors.map(requiredOf))
    return { startedAtMs, plantedAtMs, endedAtMs: Date.now() }
  } finally {
    ending.abort()
    await churning
  }
}

/** A process that counts its acts. */
interface Actor {
  readonly who: string
  readonly least: number
  readonly process: NodeProcess
}

function requiredOf({ who, least, process: { log } }: Actor): Required {
  return { who, least, count: actCountIn(log) }
}

interface Stage {
  readonly programs: Programs
  readonly cluster: Cluster
  readonly directory: string
  readonly signal: AbortSignal
  readonly receive: (answerMs?: number) => Promise<{ readonly endpoint: string }>
  readonly onActor: (actor: Actor) => void
}

function runningScene(
  { nodes, guests = 1 }: Scene,
  { programs, cluster, directory, signal, receive, onActor }: Stage,
): RunningScene {
  const first = nodes[0]?.name ?? ''
  // Who comes and goes meets the first node, and those that fall ill of it.
  const met = nodes.filter(({ plant }, index) => index === 0 || plant !== undefined).map(({ name }) => name)
  const addressOf = (seed: string) => {
    const [name = '', ...rest] = seed.split('/')
    return [cluster.address(name), ...rest].join('/')
  }
  return {
    cluster,
    signal,
    start: async (node) => {
      const { name, program = 'node', plant, faults, key, env, answerMs, seeds = name === first ? [] : [first] } = node
      const own = answerMs === undefined ? {} : { MESH_OTLP: (await receive(answerMs)).endpoint }
      const planted = { ...(plant && { ZOO_PLANT: plant }), ...(faults && { ZOO_FAULTS: faults }) }
      const process = await startPatiently(cluster, name, {
        entry: programs[program],
        role: name === first ? 'seed' : 'compute',
        seeds: seeds.map(addressOf),
        env: { ...planted, MESH_IDENTITY: join(directory, `${key ?? name}.key`), ...own, ...env },
      })
      const least = leastActsOf(plants[plant ?? ''] ?? leaks[plant ?? ''] ?? { leastActs: 0 })
      onActor({ who: `the plant ${plant} of ${name}`, least, process })
      return process
    },
    startGuests: async (name, least, env = {}) => {
      const process = await startPatiently(cluster, name, {
        entry: programs.guests,
        seeds: met.map((one) => cluster.address(one)),
        env: { GUESTS: String(guests), ...env },
      })
      onActor({ who: `the members of ${name}`, least, process })
      return process
    },
  }
}

/** On a busy machine a process may take longer than its start may. */
async function startPatiently(cluster: Cluster, name: string, options: NodeOptions): Promise<NodeProcess> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await cluster.node(name, options)
    } catch (error) {
      if (attempt === maxStarts) throw error
    }
  }
}

async function churn(running: RunningScene, { churn = 'guests' }: Scene): Promise<void> {
  if (churn === 'none') return
  await running.startGuests('guest', leastGuests)
  while (churn === 'kills' && !running.signal.aborted) {
    const node = await running.start({ name: 'node-9' })
    await sleep(killedLifeMs, undefined, { signal: running.signal }).catch(() => {})
    if (running.signal.aborted) return
    node.kill()
    await node.exited
  }
}
