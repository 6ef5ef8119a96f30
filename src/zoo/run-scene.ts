import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { WireRequest } from '../store/wire.ts'
import { type Cluster, type NodeOptions, type NodeProcess, startCluster } from '../testing/cluster/cluster.ts'
import { startReceiver } from '../testing/otlp/otlp-receiver.ts'
import { perform } from './acts.ts'
import type { Programs } from './programs.ts'
import type { Scene, SceneNode } from './scene.ts'

const maxStarts = 3
const killedLifeMs = 20_000

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
  /** Starts a process in which members come and go. */
  startGuests(name: string, env?: Readonly<Record<string, string>>): Promise<NodeProcess>
  readonly signal: AbortSignal
}

/** Runs a scene with real processes. `onRequest` gets every export request in order of arrival. */
export async function runScene(
  scene: Scene,
  programs: Programs,
  onRequest: (request: WireRequest) => void,
  signal: AbortSignal,
): Promise<SceneTimes> {
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
  const running = runningScene(scene, programs, cluster, directory, AbortSignal.any([ending.signal, signal]), receive)
  const nodes: NodeProcess[] = []
  for (const node of scene.nodes) nodes.push(await running.start(node))
  const churning = churn(running, scene.churn)
  try {
    await sleep(warmUpMs, undefined, { signal })
    const plantedAtMs = Date.now()
    for (const node of nodes) node.kill('SIGUSR2')
    const acts = (scene.acts ?? []).map((act) => perform(act, scene, running))
    await sleep(watchMs, undefined, { signal })
    ending.abort()
    await Promise.all(acts)
    return { startedAtMs, plantedAtMs, endedAtMs: Date.now() }
  } finally {
    ending.abort()
    await churning
  }
}

function runningScene(
  { nodes }: Scene,
  programs: Programs,
  cluster: Cluster,
  directory: string,
  signal: AbortSignal,
  receive: (answerMs?: number) => Promise<{ readonly endpoint: string }>,
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
    start: async ({ name, plant, faults, key, env, answerMs, seeds = name === first ? [] : [first] }) => {
      const own = answerMs === undefined ? {} : { MESH_OTLP: (await receive(answerMs)).endpoint }
      const planted = { ...(plant && { ZOO_PLANT: plant }), ...(faults && { ZOO_FAULTS: faults }) }
      return startPatiently(cluster, name, {
        entry: programs.node,
        role: name === first ? 'seed' : 'compute',
        seeds: seeds.map(addressOf),
        env: { ...planted, MESH_IDENTITY: join(directory, `${key ?? name}.key`), ...own, ...env },
      })
    },
    startGuests: (name, env = {}) =>
      startPatiently(cluster, name, { entry: programs.guests, seeds: met.map((one) => cluster.address(one)), env }),
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

async function churn(running: RunningScene, churn: Scene['churn'] = 'guests'): Promise<void> {
  if (churn === 'none') return
  await running.startGuests('guest')
  while (churn === 'kills' && !running.signal.aborted) {
    const node = await running.start({ name: 'node-9' })
    await sleep(killedLifeMs, undefined, { signal: running.signal }).catch(() => {})
    if (running.signal.aborted) return
    node.kill()
    await node.exited
  }
}
