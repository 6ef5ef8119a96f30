import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { linksTo } from '../../commands/doctor/links.ts'
import { reportLines } from '../../commands/doctor/report-text.ts'
import { isMeshError } from '../../core/errors.ts'
import type { RankedFinding } from '../../doctor/diagnose.ts'
import { type Examination, examine } from '../../doctor/report/examine.ts'
import { reportOf } from '../../doctor/report/report.ts'
import { Lab } from '../../lab/lab.ts'
import { missingSeedMs, quicAddress } from '../../lab/plan.ts'
import { serveLab } from '../../lab/server.ts'
import { freeUdpPorts } from '../../processes/free-ports.ts'
import { nodeEnvironment } from '../../processes/node-program.ts'
import { until } from '../../processes/waiting.ts'
import { type NodeProcess, startProcess } from '../../testing/cluster/node-process.ts'
import { bundlePrograms, type Programs } from '../programs.ts'
import { findingOf, leakAt, otherFindings, plantedLeaks } from './leaks.ts'
import { clockOf, findingText, type NamedLeak, namedTable } from './report.ts'

export interface FourDaysOptions {
  /** Listen address of the page. */
  readonly page: string
  readonly log: (text: string) => void
  readonly signal: AbortSignal
  readonly columns?: number | undefined
}

/** A lab with all five leaks, and what the doctor has said of it. */
export interface FourDays extends AsyncDisposable {
  readonly leaks: readonly NamedLeak[]
  /** Findings of anything else. */
  readonly others: readonly RankedFinding[]
  /** From the start of the lab to the last diagnosis. */
  readonly tookMs: number
  readonly page: string
}

/** All five within this time. */
export const withinMs = 300_000
const runningMs = 120_000
const diagnoseMs = 15_000
const guestsAtOnce = 3
const mesh = 'mesh-a'

/**
 * Starts a lab whose nodes have the five leaks of a soak of four days, lets members come and go, and asks the doctor
 * from the traces of its store until it has named all of them, or for five minutes. The lab runs on until it is disposed.
 *
 * @throws the reason of the signal if it aborts
 */
export async function runFourDays(options: FourDaysOptions): Promise<FourDays> {
  const { log, signal, page } = options
  await using starting = new AsyncDisposableStack()
  log('four days of a mesh service in five minutes: five leaks in a lab of eight nodes over QUIC')
  const programs = starting.use(await bundlePrograms())
  const startedMs = Date.now()
  const timed = (text: string) => log(`${clockOf(Date.now() - startedMs)}  ${text}`)
  const lab = await startLab(programs, timed)
  starting.defer(async () => {
    for (const problem of (await lab.stop('four days are over')).problems) timed(problem)
  })
  const server = await serveLab(lab, page)
  starting.defer(() => server.close())
  timed(`the lab starts; its page: ${server.url}`)
  const isRunning = () => lab.nodes().every(({ state, addresses }) => state === 'running' && addresses.length > 0)
  await until(isRunning, missingSeedMs + runningMs, 'all nodes of the lab run', signal)
  const guests = await startGuests(programs, lab)
  starting.defer(async () => void (await guests.stop()))
  timed(`all nodes run; members join and leave, ${guestsAtOnce} at a time`)
  const watch = new Watch(lab.query ?? '', startedMs, timed)
  await watch.untilNamed(signal)
  await printReport(watch.last, server.url, options)
  log('')
  log(namedTable(watch.leaks))
  const running = starting.move()
  return {
    leaks: watch.leaks,
    others: otherFindings(watch.last?.diagnosis.findings ?? []),
    tookMs: Date.now() - startedMs,
    page: server.url,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

async function startLab(programs: Programs, log: (text: string) => void): Promise<Lab> {
  // Nobody listens at this address.
  const [port = 0] = await freeUdpPorts(1)
  const program = {
    entry: programs.node,
    args: (name: string) => (leakAt(name)?.plant === 'dialled-once' ? ['--seed', quicAddress(port)] : []),
    env: (name: string) => {
      const leak = leakAt(name)
      return leak === undefined ? {} : { ZOO_PLANT: leak.plant, ZOO_SINCE: 'start' }
    },
  }
  return Lab.start({ nodes: 8, meshes: 1, bridges: 0, seed: randomInt(2 ** 32), program, log })
}

/** Members that come and go meet the ill nodes, and a seed. */
function startGuests(programs: Programs, lab: Lab): Promise<NodeProcess> {
  const met = lab.nodes().filter(({ name }) => name === 'a-seed-1' || leakAt(name) !== undefined)
  const seeds = met.flatMap(({ addresses }) => addresses.slice(0, 1)).join(',')
  const settings = { MESH_ID: mesh, MESH_NAME: 'guest', MESH_SEEDS: seeds, MESH_OTLP: lab.otlp }
  const env = { ...nodeEnvironment(), ...settings, GUESTS: String(guestsAtOnce) }
  return startProcess({ name: 'guest', entry: programs.guests, args: [], env })
}

/** Asks the doctor again and again, and says which leaks it names. */
class Watch {
  readonly #url: string
  readonly #startedMs: number
  readonly #log: (text: string) => void
  leaks: readonly NamedLeak[] = plantedLeaks.map((leak) => ({ leak, finding: undefined, afterMs: undefined }))
  last: Examination | undefined

  constructor(url: string, startedMs: number, log: (text: string) => void) {
    this.#url = url
    this.#startedMs = startedMs
    this.#log = log
  }

  async untilNamed(signal: AbortSignal): Promise<void> {
    while (this.leaks.some(({ finding }) => finding === undefined) && Date.now() - this.#startedMs < withinMs) {
      await sleep(diagnoseMs, undefined, { signal }).catch(() => signal.throwIfAborted())
      await this.#look(signal)
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const period = { fromMs: this.#startedMs, toMs: Date.now() + 60_000 }
    try {
      this.last = await examine({ url: this.#url, files: [], mesh, period, signal, progress: () => {} })
    } catch (error) {
      if (isMeshError(error, 'MESH_SPANS_ABSENT')) return
      throw error
    }
    const { findings } = this.last.diagnosis
    const afterMs = Date.now() - this.#startedMs
    const before = this.leaks
    this.leaks = before.map(({ leak, afterMs: since }) => {
      const finding = findingOf(leak, findings)
      return { leak, finding, afterMs: finding && (since ?? afterMs) }
    })
    const news = this.leaks.flatMap(({ finding }, index) =>
      finding !== undefined && before[index]?.finding === undefined ? [finding] : [],
    )
    for (const finding of news) this.#log(`the doctor names ${findingText(finding)}`)
    const count = this.leaks.filter(({ finding }) => finding !== undefined).length
    this.#log(`${count} of ${this.leaks.length} leaks are named, from ${this.last.evidence.spans} spans`)
  }
}

async function printReport(examination: Examination | undefined, page: string, options: FourDaysOptions) {
  if (examination === undefined) return
  const { trace: links, search } = await linksTo(page, true, options.signal)
  options.log('')
  for (const line of reportLines(reportOf({ ...examination, links, search }), { columns: options.columns }))
    options.log(line)
}
