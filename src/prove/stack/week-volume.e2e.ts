import { existsSync, readFileSync, rmdirSync } from 'node:fs'
import { mkdir, opendir, readFile, rmdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { status } from '@grpc/grpc-js'
import { errorMessage } from '../../core/errors.ts'
import { mebibytesOf } from '../../lab/process-usage.ts'
import { type RunningStack, startStack } from '../../stack/bare.ts'
import { containerSettings } from '../../stack/services.ts'
import { exportBytes, type OtlpClient, otlpClient, type SentSpan } from '../../store/otlp-client.ts'
import { hex, type PlayedNode, playedMinute, playedNodes, spansPerMinute } from '../../testing/otlp/lab-spans.ts'
import { TraceReader } from '../../traces/reader.ts'
import { endToEnd } from '../end-to-end.ts'
import { fiveTimes } from '../evidence.ts'
import { atLeast, atMost, type Check, equals, notShown, type ProofContext, type ProofResult, round } from '../proof.ts'
import { fromEnv, onExit, withStack } from './on-stack.ts'

/** WEEK_SPANS makes it less. */
const spanTarget = fromEnv('WEEK_SPANS', 10_000_000)
const weekMs = 7 * 86_400_000
/** Memory limit of Jaeger's container, page cache included: whole MiB. */
const memoryMb = Number(/^(\d+)m$/.exec(containerSettings['JAEGER_MEMORY'] ?? '')?.[1])
const searchMs = 5_000
/** At its start, Jaeger reads the names of services and operations from the index of all spans. */
const startMs = 600_000
/** Spans of one request, as the Collector sends them, and concurrent requests. */
const [perExport, inFlight] = [2_048, 4]
/** How long refused requests are resent; the Collector does so until its queue is full. */
const refusedMs = 600_000
/** Approximate number of give-ups in the week: the searches look for these. */
const giveUps = 40

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
    const client = otlpClient(stack.urls.jaegerOtlp)
    const toMs = Date.now()
    const fed = await feed(client, stack, toMs - weekMs, context).finally(() => client.close())
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

/** Feeds minutes of the lab, spread over a week, until the target. */
async function feed(
  client: OtlpClient,
  stack: RunningStack,
  fromMs: number,
  { random, progress, signal }: ProofContext,
) {
  const nodes = playedNodes(random)
  const minutes = Math.ceil(spanTarget / (nodes.length * spansPerMinute))
  const sending = new Set<Promise<void>>()
  const began = performance.now()
  let [spans, resent, giveUpCount, ownMb, refused] = [0, 0, 0, 0, 0]
  const waiting = nodes.map((): SentSpan[] => [])
  const send = async ({ resource }: PlayedNode, part: readonly SentSpan[]) => {
    const body = exportBytes(resource, part)
    // As the Collector does: a request without success is resent with the same spans.
    const first = performance.now()
    for (;;) {
      const { code, details } = await client.send(body)
      if (code === status.OK) break
      const jaegerOutput = () => stack.output('jaeger').slice(-500)
      const forMs = performance.now() - first
      refused = Math.max(refused, round(forMs / 1_000))
      if (forMs > refusedMs)
        throw new Error(`an export failed with status ${code}: ${details}; output of Jaeger: ${jaegerOutput()}`)
      resent++
      await sleep(1_000, undefined, { signal })
    }
    spans += part.length
  }
  const flush = async (least: number) => {
    for (const [index, node] of nodes.entries()) {
      const batch = waiting[index] ?? []
      if (batch.length < least) continue
      const sent: Promise<void> = send(node, batch.splice(0)).finally(() => sending.delete(sent))
      sending.add(sent)
      if (sending.size >= inFlight) await Promise.race(sending)
    }
  }
  for (let minute = 0; minute < minutes; minute++) {
    signal.throwIfAborted()
    const atMs = fromMs + (minute / minutes) * weekMs
    for (const [index] of nodes.entries()) waiting[index]?.push(...playedMinute(nodes, minute, atMs, random))
    if (minute % Math.ceil(minutes / giveUps) === 0) {
      waiting[0]?.push(...campaign(atMs, random))
      giveUpCount++
    }
    await flush(perExport - spansPerMinute)
    if (minute % 10 === 0) ownMb = Math.max(ownMb, await anonymousMb(stack))
    if ((minute + 1) % Math.ceil(minutes / 20) !== 0) continue
    progress(`${spans} spans, ${Math.round(spans / ((performance.now() - began) / 1_000))} a second, ${ownMb} MiB`)
  }
  await flush(1)
  await Promise.all(sending)
  const seconds = (performance.now() - began) / 1_000
  const rate = round(spans / seconds)
  const refusals = { 'sent again': resent, 'longest refusal, s': refused }
  return { spans, giveUps: giveUpCount, seconds: round(seconds), 'spans per second': rate, ...refusals, ownMb }
}

/** Anonymous memory of Jaeger, MiB; 0 when its process has ended. */
async function anonymousMb({ pid }: RunningStack): Promise<number> {
  const status = await readFile(`/proc/${pid('jaeger')}/status`, 'utf8').catch(() => 'RssAnon: 0 kB')
  return Math.round(mebibytesOf(status, 'RssAnon'))
}

/** One trace of ten failed attempts. */
function campaign(atMs: number, random: ProofContext['random']): SentSpan[] {
  const traceId = hex(random, 32)
  const root = hex(random, 16)
  const seed = { 'mesh.seed.address': '/dns4/seed-2/udp/4001/quic-v1' }
  const attempt = (index: number): SentSpan => ({
    traceId,
    spanId: hex(random, 16),
    parentSpanId: root,
    name: index === 10 ? 'mesh.seed.giveup' : 'mesh.seed.retry',
    startMs: atMs + index * 15_000,
    durationMs: 10_000,
    attributes: { ...seed, 'mesh.seed.attempt': index, 'error.type': 'TimeoutError' },
    status: index === 10 ? 2 : 0,
  })
  const dial = { traceId, spanId: root, name: 'mesh.seed.dial', startMs: atMs, attributes: seed }
  return [dial, ...Array.from({ length: 10 }, (_, index) => attempt(index + 1))]
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
  for (const pid of processesIn(directory)) process.kill(pid, 'SIGKILL')
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (let attempt = 0; attempt < 50 && processesIn(directory).length > 0; attempt++) Atomics.wait(pause, 0, 0, 20)
  rmdirSync(directory)
}

function processesIn(directory: string): number[] {
  const pids = readFileSync(join(directory, 'cgroup.procs'), 'utf8').trim().split('\n')
  return pids.filter(Boolean).map(Number)
}
