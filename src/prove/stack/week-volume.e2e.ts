import { existsSync, readFileSync, rmdirSync } from 'node:fs'
import { mkdir, opendir, readFile, rmdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorMessage } from '../../core/errors.ts'
import { mebibytesOf } from '../../lab/process-usage.ts'
import { killAll, onExit } from '../../processes/exit.ts'
import { type RunningStack, startStack } from '../../stack/bare.ts'
import { containerSettings } from '../../stack/services.ts'
import { TraceReader } from '../../traces/reader.ts'
import { endToEnd } from '../end-to-end.ts'
import { fiveTimes } from '../evidence.ts'
import { atLeast, atMost, type Check, equals, notShown, type ProofContext, type ProofResult, round } from '../proof.ts'
import { feedLab } from './lab-feed.ts'
import { fromEnv, withStack } from './on-stack.ts'

/** WEEK_SPANS makes it less. */
const spanTarget = fromEnv('WEEK_SPANS', 10_000_000)
const weekMs = 7 * 86_400_000
/** Memory limit of Jaeger's container, page cache included: whole MiB. */
const memoryMb = Number(/^(\d+)m$/.exec(containerSettings['JAEGER_MEMORY'] ?? '')?.[1])
const searchMs = 5_000
/** At its start, Jaeger reads the names of services and operations from the index of all spans. */
const startMs = 600_000

/** Files of the two kinds of control groups that Linux has. */
const kinds = [
  { root: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes' },
  { root: '/sys/fs/cgroup', limit: 'memory.max' },
] as const

export const proof = endToEnd({
  name: 'week-volume',
  about:
    'ten million spans, more than a week of the lab, in Jaeger with badger: it keeps to its memory limit, a search finds give-ups in 5 s',
  quick: false,
  seconds: Math.round(spanTarget / 2_400),
  run: (context) => withStack(context, () => fillJaeger(context), ['jaeger']),
})

async function fillJaeger(context: ProofContext): Promise<ProofResult> {
  const group = await memoryGroup(memoryMb)
  const bounded = 'missing' in group ? undefined : group
  if ('missing' in group) context.progress(`memory is not bounded: ${group.missing}`)
  try {
    const groups = bounded === undefined ? {} : { jaeger: bounded.procsFile }
    await using stack = await startStack({ services: ['jaeger'], groups, readyMs: startMs })
    const pid = stack.pid('jaeger') ?? 0
    const toMs = Date.now()
    let ownMb = 0
    const watch = async () => {
      ownMb = Math.max(ownMb, await anonymousMb(stack))
    }
    const output = () => stack.output('jaeger').slice(-500)
    const range = { fromMs: toMs - weekMs, toMs }
    const { figures: fed } = await feedLab(
      { url: stack.urls.jaegerOtlp, spans: spanTarget, ...range, watch, output },
      context,
    )
    const warm = await searches(stack, toMs)
    context.progress(`give-ups found in ${warm.ms.join(', ')} ms; Jaeger restarts`)
    const survived = stack.pid('jaeger') === pid
    const stopBegan = performance.now()
    await stack.stop('jaeger')
    const beganAt = performance.now()
    await stack.start('jaeger')
    const restart = { stopMs: round(beganAt - stopBegan), startMs: round(performance.now() - beganAt) }
    const cold = await searches(stack, toMs)
    const disk = await sizeOf(stack.directory)
    return {
      figures: {
        ...fed,
        ownMb,
        warm,
        cold,
        restart,
        'disk, GB': round(disk / 1e9),
        'bytes per span': round(disk / fed.spans),
      },
      checks: [
        atLeast('spans that Jaeger accepted', spanTarget, fed.spans),
        equals('Jaeger runs in the same process to the end', true, survived),
        boundCheck(group),
        equals('give-ups found', fed.giveUps, warm.found),
        atMost(`a search for give-ups of a week, slowest of ${warm.ms.length}`, searchMs, Math.max(...warm.ms), 'ms'),
        equals('give-ups found after the restart', fed.giveUps, cold.found),
        atMost('the first search after the restart', searchMs, cold.ms[0] ?? Number.NaN, 'ms'),
      ],
    }
  } finally {
    await bounded?.close()
  }
}

/** The page cache fills the limit, as it should: the check is that Jaeger survives within it. */
function boundCheck(group: MemoryGroup | { readonly missing: string }): Check {
  const [what, limit] = ['memory limit, page cache included', `${memoryMb} MiB`]
  return 'missing' in group ? notShown(what, limit, group.missing) : equals(what, limit, limit)
}

/** Anonymous memory of Jaeger, MiB; 0 when its process has ended. */
async function anonymousMb({ pid }: RunningStack): Promise<number> {
  const status = await readFile(`/proc/${pid('jaeger')}/status`, 'utf8').catch(() => 'RssAnon: 0 kB')
  return Math.round(mebibytesOf(status, 'RssAnon'))
}

/** The same search of the complete week five times in sequence. */
function searches({ urls }: RunningStack, toMs: number) {
  const reader = new TraceReader(urls.jaeger, { timeoutMs: 60_000 })
  const query = { service: 'mesh-a', span: 'mesh.seed.giveup', fromMs: toMs - weekMs, toMs: toMs + 600_000, limit: 100 }
  return fiveTimes(async () => (await reader.find(query)).traces.length)
}

/** Bytes of all files below a directory. */
async function sizeOf(directory: string): Promise<number> {
  let bytes = 0
  for await (const entry of await opendir(directory, { recursive: true }))
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).blocks * 512
  return bytes
}

/** Memory limit of a group of processes, page cache included, as of a container. */
interface MemoryGroup {
  /** A process that writes its id there joins the group, with the processes that it starts. */
  readonly procsFile: string
  /** Waits for its processes to end. */
  close(): Promise<void>
}

/** Creates a group, or says why it cannot: it needs Linux and root. */
async function memoryGroup(limitMb: number): Promise<MemoryGroup | { readonly missing: string }> {
  const kind = kinds.find(({ root }) => existsSync(join(root, 'cgroup.procs')))
  if (kind === undefined) return { missing: 'this system has no control groups' }
  const directory = join(kind.root, `tracemesh-${process.pid}`)
  try {
    await mkdir(directory)
    await writeFile(join(directory, kind.limit), String(limitMb * 1_048_576))
  } catch (error) {
    await rmdir(directory).catch(() => {})
    return { missing: `cannot create a control group (${errorMessage(error)})` }
  }
  const cancelExit = onExit(() => killGroup(directory))
  return {
    procsFile: join(directory, 'cgroup.procs'),
    close: async () => {
      // The kernel releases the group once its last process is reaped.
      for (let attempt = 0; attempt < 50 && processesIn(directory).length > 0; attempt++)
        await new Promise((done) => setTimeout(done, 100))
      await rmdir(directory)
      cancelExit()
    },
  }
}

/** Kills the group at the exit of this process. */
function killGroup(directory: string): void {
  killAll(processesIn(directory))
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (let attempt = 0; attempt < 50 && processesIn(directory).length > 0; attempt++) Atomics.wait(pause, 0, 0, 20)
  rmdirSync(directory)
}

function processesIn(directory: string): number[] {
  const pids = readFileSync(join(directory, 'cgroup.procs'), 'utf8').trim().split('\n')
  return pids.filter(Boolean).map(Number)
}
