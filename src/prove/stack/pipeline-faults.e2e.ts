import { execFile, execFileSync } from 'node:child_process'
import { rmdirSync } from 'node:fs'
import { mkdtemp, rm, rmdir, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { renderRules } from '../../catalogue/alert-rules.ts'
import { errorMessage } from '../../core/errors.ts'
import { Alertmanager } from '../../drill/stack-api.ts'
import { type RunningStack, startStack } from '../../stack/bare.ts'
import { type Cluster, startCluster, until } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { startMesh } from '../mesh/mesh.ts'
import { atLeast, type Check, equals, type ProofContext, type ProofResult, round, unrun } from '../proof.ts'
import { onExit, queueSize, stopAndAccount, watchAlerts, withStack } from './on-stack.ts'

/** Resolves the alert of the only give-up before Prometheus is wiped. */
const timeFactor = 0.1
const nodes = 4
const diskMb = 64
/** Space for some requests, but not for a minute. */
const leftBytes = 256 * 1_024
const [giveupMs, resolvedMs, wipedMs, watchedFullMs, fireMs, drainMs] = [
  240_000, 300_000, 120_000, 60_000, 180_000, 180_000,
]

const run = promisify(execFile)

export const proof = endToEnd({
  name: 'pipeline-faults',
  about:
    'Prometheus loses its database, then the disk of the Collector’s queue is full while Jaeger is away: no alert about the mesh fires for it, and Jaeger has every span afterwards',
  quick: false,
  seconds: 900,
  run: (context) => withStack(context, () => onSmallDisk(context)),
})

async function onSmallDisk(context: ProofContext): Promise<ProofResult> {
  const result = await smallDisk(diskMb)
  if ('missing' in result) return unrun(context, 'a disk that can be filled', 'present', result.missing)
  await using disk = result
  const dirs = { QUEUE_DIR: join(disk.directory, 'queue'), SPANS_DIR: join(disk.directory, 'archive') }
  await using stack = await startStack({ rules: renderRules({ timeFactor }), env: { collector: dirs } })
  const fromMs = Date.now()
  await using cluster = await startCluster({ receiver: 'none', env: { MESH_OTLP: stack.urls.otlp } })
  await startMesh(cluster, nodes - 2)
  // Its second seed never answers.
  await cluster.node('lonely', { seeds: [cluster.address('seed'), '/ip4/127.0.0.1/tcp/1'] })
  const wiped = await prometheusWiped(stack, context)
  const full = await diskFull(stack, disk, cluster, context)
  const { instances, checks } = await stopAndAccount(stack, cluster, fromMs)
  return {
    figures: { ...wiped.figures, ...full.figures, instances },
    checks: [...wiped.checks, ...full.checks, ...checks],
  }
}

/** After the alert of a give-up has resolved: its counter exists and must not fire again. */
async function prometheusWiped(stack: RunningStack, { progress, signal }: ProofContext) {
  {
    await using watch = watchAlerts(stack.urls.alertmanager)
    await until(() => watch.fired('mesh').includes('MeshSeedGiveup'), giveupMs, 'a give-up fires')
    progress('a give-up fires')
  }
  const alertmanager = new Alertmanager(stack.urls.alertmanager)
  await until(async () => (await alertmanager.all('active')).length === 0, resolvedMs, 'its alert resolves')
  await stack.stop('prometheus')
  await rm(join(stack.directory, 'prometheus'), { recursive: true })
  await stack.start('prometheus')
  progress(`Prometheus has lost its database; ${wipedMs / 1_000} s`)
  await using watch = watchAlerts(stack.urls.alertmanager)
  await sleep(wipedMs, undefined, { signal })
  const fired = [...watch.fired('mesh'), ...watch.fired('pipeline')]
  return {
    figures: { polls: watch.polls() },
    checks: [
      equals('alerts that fired after the wipe of Prometheus', '', fired.join(', ')),
      atLeast('polls of Alertmanager meanwhile', 10, watch.polls()),
    ],
  }
}

async function diskFull(stack: RunningStack, disk: SmallDisk, cluster: Cluster, { progress, signal }: ProofContext) {
  await using watch = watchAlerts(stack.urls.alertmanager)
  await stack.stop('jaeger')
  await disk.fill(leftBytes)
  progress('Jaeger is away, and the disk of the queue has space for some requests only')
  const isRefusing = () => watch.fired('pipeline').some((name) => /^MeshCollectorRefusing/.test(name))
  await until(isRefusing, fireMs, 'MeshCollectorRefusing fires')
  progress('MeshCollectorRefusing fires')
  await sleep(watchedFullMs, undefined, { signal })
  const readiness = await Promise.all(cluster.nodes().map((node) => node.api<{ ready?: boolean }>('/readyz')))
  const queuedSpans = await queueSize(stack)
  await disk.free()
  await stack.start('jaeger')
  const drainedMs = await until(async () => (await queueSize(stack)) === 0, drainMs, 'the queue is empty')
  progress(`the disk has space and Jaeger is back: the queue is empty after ${Math.round(drainedMs)} ms`)
  const fired = { pipeline: watch.fired('pipeline'), mesh: watch.fired('mesh') }
  const checks: Check[] = [
    atLeast('polls of Alertmanager while the disk was full', 10, watch.polls()),
    equals('alerts about the mesh that fired while the disk was full', '', fired.mesh.join(', ')),
    equals('MeshCollectorRefusing', 'fired', fired.pipeline.includes('MeshCollectorRefusing') ? 'fired' : 'did not'),
    equals('nodes that were ready meanwhile', nodes, readiness.filter(({ ready }) => ready === true).length),
  ]
  return { figures: { fired, queuedSpans, drainedMs: round(drainedMs) }, checks }
}

/** A small disk to fill. */
interface SmallDisk extends AsyncDisposable {
  readonly directory: string
  /** Leaves this many bytes free. */
  fill(leave: number): Promise<void>
  /** Frees the filled space. */
  free(): Promise<void>
}

/** Mounts a disk in memory, or says why it cannot: it needs Linux and root. */
async function smallDisk(mebibytes: number): Promise<SmallDisk | { readonly missing: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'tracemesh-disk-'))
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=700`, 'tracemesh-disk', directory])
  } catch (error) {
    await rmdir(directory)
    return { missing: `cannot mount a disk (${errorMessage(error)})` }
  }
  // A lazy unmount: processes with open files there end with this process.
  const cancelExit = onExit(() => {
    execFileSync('umount', ['--lazy', directory])
    rmdirSync(directory)
  })
  const filler = join(directory, 'filler')
  return {
    directory,
    async fill(leave) {
      const { bavail, bsize } = await statfs(directory)
      await writeFile(filler, Buffer.alloc(Math.max(0, bavail * bsize - leave)))
    },
    free: () => rm(filler, { force: true }),
    async [Symbol.asyncDispose]() {
      cancelExit()
      await run('umount', ['--lazy', directory])
      await rmdir(directory)
    },
  }
}
