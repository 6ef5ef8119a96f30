import { cp, mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { mean } from 'simple-statistics'
import { z } from 'zod'
import { ratioOf, spreadOf } from '../../bench/statistics.ts'
import { idleWindow, type WindowUse } from '../../bench/windows.ts'
import { raceAbort } from '../../kit/clock.ts'
import { Subprocess } from '../../processes/subprocess.ts'
import { processUsage } from '../../testing/cluster/process-usage.ts'
import { startReceiver } from '../../testing/otlp/otlp-receiver.ts'
import { endToEnd } from '../end-to-end.ts'
import { packKit } from '../package/app-project.ts'
import { atMost, type Check, equals, type Proof, type ProofContext, round } from '../proof.ts'
import { plainEnvironment, sh } from '../shell.ts'

/** Limits for the cost of the mesh. Stops differ by as much between runs. */
const limits = { cpuRatioMax: 1.1, rssMb: 12, exitMs: 500 }

/** The proof that an application works with the mesh as it does without. */
export function applicationProof(name: string, about: string, application: Application): Proof {
  return endToEnd({
    name,
    about,
    quick: false,
    seconds: Math.round(secondsMeasured * 1.2 + 120),
    async run(context) {
      const comparison = await compareSides(application, context)
      return { figures: figuresOf(comparison, application), checks: checksOf(comparison, application) }
    },
  })
}

function figuresOf({ with: mesh, without: bare, ...both }: Comparison, { processes, rate }: Application) {
  return { secondsMeasured, processes, rate, with: totalsOf(mesh), without: totalsOf(bare), ...both }
}

/** The totals of a side, and the counters of each of its processes. */
function totalsOf({ ends, cpu, rss, pss, restedRss, exitMs }: SideFigures) {
  const restedRssMb = restedRss.map(round)
  return { cpuMsPerS: cpu, rssMb: rss, pssMb: pss, restedRssMb, exitMs: exitMs.map(round), ends }
}

function checksOf(comparison: Comparison, application: Application): Check[] {
  const { with: mesh, without: bare, cpuRatio, rssAdded } = comparison
  const fewestMembers = Math.min(...mesh.ends.map(({ members }) => members))
  return [
    ...application.nothingLost('without', bare.ends),
    ...application.nothingLost('with', mesh.ends),
    equals('each process of the mesh has all others as members', application.processes - 1, fewestMembers),
    equals('connections closed during the work, without the mesh', 'none', closesOf(bare)),
    equals('connections closed during the work, with the mesh', 'none', closesOf(mesh)),
    equals('faults without the mesh', 'none', faultsOf(bare)),
    equals('faults with the mesh', 'none', faultsOf(mesh)),
    atMost('CPU of a process, with to without', application.cpuRatioMax ?? limits.cpuRatioMax, cpuRatio),
    atMost('memory that the mesh adds to a process', limits.rssMb, rssAdded, 'MiB'),
    atMost('the slowest exit is later by', limits.exitMs, Math.max(...mesh.exitMs) - Math.max(...bare.exitMs), 'ms'),
    equals('the mesh sent spans', true, comparison.spans > 0),
  ]
}

function closesOf({ ends }: SideFigures): string {
  const closes = ends.flatMap((end) => Object.entries(end.closes).map(([by, count]) => `${count} by ${by}`))
  return closes.join('; ') || 'none'
}

function faultsOf({ ends }: SideFigures): string {
  return ends.flatMap(({ faults }) => faults.map((fault) => fault.slice(0, 200))).join('; ') || 'none'
}

/** The processes of one application, with the mesh or without it. */
interface Side {
  readonly name: 'with' | 'without'
  readonly processes: readonly ApplicationProcess[]
}

/** A real application, and the checks of its own work. */
interface Application {
  /** Name of its program and of its package file. */
  readonly program: string
  readonly processes: number
  /** Units of work of each process in a second. */
  readonly rate: number
  /** Most CPU of a process with the mesh, as a multiple of that without; 1.1 by default. */
  readonly cpuRatioMax?: number
  /** Runs once all processes listen, before the work begins. */
  readonly prepare?: (side: Side) => Promise<void>
  /** Checks on its final counters: nothing may be lost. */
  readonly nothingLost: (side: Side['name'], ends: readonly Status[]) => readonly Check[]
}

/** A total over the processes of one side. */
export function total(ends: readonly Status[], counter: string): number {
  return ends.reduce((sum, { work }) => sum + (work[counter] ?? Number.NaN), 0)
}

/** Length of the measurement; APPLICATION_SECONDS for a trial. */
const secondsMeasured = Number(process.env['APPLICATION_SECONDS'] ?? 300)
const windows = 10
/** V8 optimizes and collects garbage after a start. */
const settleMs = Math.min(60_000, secondsMeasured * 200)
/** Time for messages in flight to arrive after the end of the work. */
const restMs = 5_000

const programs = join(import.meta.dirname, 'programs')

type Comparison = Awaited<ReturnType<typeof compareSides>>
type SideFigures = Comparison[Side['name']]

/** Runs an application with the mesh beside the same application without it, under the same load of the machine. */
async function compareSides(application: Application, { progress, signal, seed }: ProofContext) {
  await using resources = new AsyncDisposableStack()
  progress('packing and installing')
  const directory = resources.use(await mkdtempDisposable(join(tmpdir(), `tracemesh-${application.program}-`))).path
  await install(application.program, directory, signal)
  const receiver = await startReceiver()
  resources.defer(() => receiver.close())
  const start = async (name: Side['name']) => {
    const side = await startSide(name, application, directory, receiver.endpoint)
    resources.defer(async () => {
      for (const one of side.processes) one.kill()
    })
    return side
  }
  const sides = { with: await start('with'), without: await start('without') }
  const processes = Object.values(sides).flatMap((side) => side.processes)
  for (const side of Object.values(sides)) await application.prepare?.(side)
  for (const one of processes) await one.request('work')
  progress(`both work; settling for ${settleMs / 1_000} s`)
  await sleep(settleMs, undefined, { signal })
  const uses: WindowUse[] = []
  const measured = { with: sides.with.processes, without: sides.without.processes }
  for (let i = 1; i <= windows; i++) {
    uses.push(await idleWindow(measured, (secondsMeasured * 1_000) / windows, signal))
    progress(`window ${i} of ${windows}: ${describeUse(uses.at(-1))}`)
  }
  for (const one of processes) await one.request('rest')
  await sleep(restMs, undefined, { signal })
  const [mesh, bare] = [await finish(sides.with, uses), await finish(sides.without, uses)]
  const cpuOf = (name: Side['name']) => uses.map((one) => meanOf(one.sides[name]?.cpu))
  return {
    with: mesh,
    without: bare,
    // Of all windows: ratios of single windows scatter by a fifth, since V8 collects garbage in another window on each
    // side.
    cpuRatio: meanOf(cpuOf('with')) / meanOf(cpuOf('without')),
    cpuRatios: ratioOf(cpuOf('with'), cpuOf('without'), seed),
    // After garbage collection: during the work, V8 releases 100 MiB at a moment of its choice, and two sides that do
    // so in different windows differ by that.
    rssAdded: meanOf(mesh.restedRss) - meanOf(bare.restedRss),
    spans: receiver.spans.length,
    /** Highest CPU of all other processes of the machine, in milliseconds per second. */
    others: Math.max(...uses.map(({ others }) => others)),
  }
}

/** Ends the processes of a side. CPU in milliseconds per second and memory in MiB: means over them, one per window. */
async function finish({ name, processes }: Side, uses: readonly WindowUse[]) {
  const ends = await Promise.all(processes.map((one) => one.status()))
  await Promise.all(processes.map((one) => one.request('collect')))
  const restedUsage = await Promise.all(processes.map((one) => one.usage()))
  const exitMs = await Promise.all(processes.map((one) => one.stop()))
  const of = (key: 'cpu' | 'rss' | 'pss') => spreadOf(uses.map((one) => meanOf(one.sides[name]?.[key])))
  const restedRss = restedUsage.map(({ rssMb }) => rssMb)
  return { ends, exitMs, cpu: of('cpu'), rss: of('rss'), pss: of('pss'), restedRss }
}

/** Starts the processes in sequence; each gets the addresses of those before it. */
async function startSide(name: Side['name'], application: Application, directory: string, otlp: string): Promise<Side> {
  const processes: ApplicationProcess[] = []
  const pass = (command: string, parameters: object) => {
    for (const other of processes.slice(1)) other.request(command, parameters).catch(() => {})
  }
  for (let index = 0; index < application.processes; index++) {
    const direct = processes.map(({ addresses }) => addresses.find((one) => !/\/ws|p2p-circuit/.test(one)))
    const env = {
      ...plainEnvironment(),
      WITH_MESH: name === 'with' ? '1' : '0',
      GROUP: `tm${process.pid}${name}`,
      INDEX: String(index),
      RATE: String(application.rate),
      PEERS: direct.join(','),
      OTLP: otlp,
    }
    const file = join(directory, `${application.program}.mjs`)
    processes.push(await startApplication({ name: `${name} ${index}`, directory, file, env, pass }))
  }
  return { name, processes }
}

function meanOf(numbers: readonly number[] = []): number {
  return numbers.length === 0 ? Number.NaN : mean([...numbers])
}

function describeUse(use: WindowUse | undefined): string {
  return Object.entries(use?.sides ?? {})
    .map(([side, { cpu, rss }]) => `${side} ${meanOf(cpu).toFixed(1)} ms/s ${meanOf(rss).toFixed(0)} MiB`)
    .join(', ')
}

/**
 * Installs an application in an empty folder, with its packages from the registry and with the package that this clone
 * would publish. Throws when an install fails.
 */
async function install(program: string, directory: string, signal: AbortSignal): Promise<void> {
  const tarball = await packKit(directory, signal)
  await cp(join(programs, `${program}.json`), join(directory, 'package.json'))
  for (const file of [`${program}.mjs`, 'harness.mjs']) await cp(join(programs, file), join(directory, file))
  // Install scripts would build unused native code, from sources that they download.
  const command = `npm install --no-audit --no-fund --ignore-scripts ${tarball}`
  const { code, output } = await sh(command, directory, plainEnvironment(), signal)
  if (code !== 0) throw new Error(`${command}: exit ${code}: ${output.slice(-2_000)}`)
}

const status = z.object({
  work: z.record(z.string(), z.number()),
  opened: z.number(),
  /** Connections closed before the stop, by the code that closed them. */
  closes: z.record(z.string(), z.number()),
  /** Unhandled rejections, uncaught exceptions and warnings. */
  faults: z.array(z.string()),
  connections: z.number(),
  limited: z.number(),
  members: z.number(),
  kinds: z.array(z.string()),
  heapMb: z.number(),
})

type Status = z.infer<typeof status>

const ready = z.object({ ready: z.literal(true), peer: z.string(), addresses: z.array(z.string()) }).loose()
const answerLine = z.object({ id: z.number(), answer: z.unknown(), failed: z.string().optional() })
const relayLine = z.object({ pass: z.string() }).loose()

/** One process of an application under test. */
type ApplicationProcess = Awaited<ReturnType<typeof startApplication>>

interface ApplicationProgram {
  readonly name: string
  readonly directory: string
  readonly file: string
  readonly env: NodeJS.ProcessEnv
  /** The program requests this command of the others of its side. */
  readonly pass: (command: string, parameters: object) => void
}

const bounds = { readyMs: 40_000, answerMs: 20_000, exitMs: 15_000 }

/** Starts a program in the folder of its packages; resolves once its node listens. */
async function startApplication(program: ApplicationProgram) {
  const { name, directory, file, env, pass } = program
  const readiness = Promise.withResolvers<z.infer<typeof ready>>()
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let lastId = 0
  const child = new Subprocess({
    name,
    command: [process.execPath, file],
    cwd: directory,
    env,
    input: true,
    onLine: (line) => {
      const message: unknown = JSON.parse(line)
      const { data: answer } = answerLine.safeParse(message)
      const { data: relayed } = relayLine.safeParse(message)
      const { data: start } = ready.safeParse(message)
      if (start !== undefined) readiness.resolve(start)
      if (relayed !== undefined) pass(relayed.pass, relayed)
      if (answer === undefined) return
      if (answer.failed === undefined) waiting.get(answer.id)?.resolve(answer.answer)
      else waiting.get(answer.id)?.reject(new Error(`${name}: ${answer.failed}`))
      waiting.delete(answer.id)
    },
  })
  const request = async (command: string, parameters: object = {}) => {
    const id = ++lastId
    const answer = Promise.withResolvers<unknown>()
    waiting.set(id, answer)
    child.write(`${JSON.stringify({ id, command, ...parameters })}\n`)
    const limit = AbortSignal.timeout(bounds.answerMs)
    return raceAbort(AbortSignal.any([child.ended, limit]), answer.promise).catch((error) => {
      throw limit.aborted ? new Error(`${name} did not answer ${command} within ${bounds.answerMs} ms`) : error
    })
  }
  /** Milliseconds until it exited by itself; NaN after a kill. */
  const stop = async () => {
    const began = performance.now()
    const exited = child.exitWithin(bounds.exitMs)
    await request('stop').catch(() => undefined)
    const { signal } = await exited
    return signal === null ? performance.now() - began : Number.NaN
  }
  const { peer, addresses, ...details } = await child.ready(readiness.promise, bounds.readyMs)
  return {
    name,
    pid: child.pid,
    peer,
    addresses,
    details,
    usage: () => processUsage(child.pid),
    request,
    status: async () => status.parse(await request('status')),
    stop,
    kill: () => child.signal('SIGKILL'),
  }
}
