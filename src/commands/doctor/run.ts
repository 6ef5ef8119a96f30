import { setTimeout as sleep } from 'node:timers/promises'
import { errorMessage, isMeshError, MeshError } from '../../core/errors.ts'
import { EvidenceFold } from '../../doctor/evidence/fold.ts'
import { type Examination, examine, type Subject, type Watched } from '../../doctor/report/examine.ts'
import { type Links, type Report, reportOf } from '../../doctor/report/report.ts'
import type { Period } from '../../doctor/sources/source.ts'
import { paint, plain } from '../../lab/lines.ts'
import { clock } from '../../page/model/text.ts'
import { exitCodes, type Terminal } from '../command.ts'
import type { Stoppable } from '../run-until-stopped.ts'
import { compareLines } from './compare.ts'
import { DiagnosisEmitter } from './emit.ts'
import { type DoctorFlags, filePeriod, storePeriod } from './flags.ts'
import { linksTo, noLinks } from './links.ts'
import { reportLines } from './report-text.ts'

const defaultUrls = ['http://127.0.0.1:16686', 'http://127.0.0.1:16700'] as const

/** Starts a diagnosis, or with `--watch` one after another. */
export async function startDoctor(flags: DoctorFlags, io: Terminal): Promise<Stoppable> {
  const stopping = new AbortController()
  const log = (text: string) => io.err(`${text}\n`)
  const emitter = flags.emit === undefined ? undefined : new DiagnosisEmitter(flags.emit, log)
  const doctor = new Doctor({ flags, io, log, emitter, signal: stopping.signal })
  const code = doctor.run().catch((error: unknown) => reportFailure(error, stopping.signal, log))
  return {
    stopRequest: code.then(() => 'done'),
    stop: async (cause) => {
      stopping.abort(new Error(cause))
      const result = await code
      await emitter?.close()
      return result
    },
  }
}

interface DoctorOptions {
  readonly flags: DoctorFlags
  readonly io: Terminal
  readonly log: (text: string) => void
  readonly emitter: DiagnosisEmitter | undefined
  readonly signal: AbortSignal
}

class Doctor {
  readonly #options: DoctorOptions
  #last: Report | undefined

  constructor(options: DoctorOptions) {
    this.#options = options
  }

  /** Resolves to the exit code. */
  async run(): Promise<number> {
    const { flags, signal } = this.#options
    const url = flags.files.length > 0 ? '' : (flags.url ?? (await this.#defaultUrl()))
    const ui = flags.ui ?? url
    const links = ui === '' ? noLinks : await linksTo(ui, flags.ui !== undefined, signal)
    if (!flags.watch) return await this.#once(url, links, ui)
    const watched = { fold: new EvidenceFold(), complete: true }
    // Spans come late: each reading begins before the end of the last one, and the fold knows the spans that it has.
    const lateMs = 120_000
    let period = storePeriod(flags, Date.now())
    for (;;) {
      const isRead = await this.#look(url, links, period, watched)
      if (!signal.aborted) await sleep(flags.every, undefined, { signal }).catch(() => {})
      if (signal.aborted) return exitCodeOf(this.#last)
      // What could not be read belongs to the next period: else its spans would count as lost.
      const fromMs = isRead ? period.toMs - lateMs - 60_000 : period.fromMs
      period = { fromMs, toMs: Date.now() + 60_000 }
    }
  }

  async #once(url: string, links: Links, ui: string): Promise<number> {
    const { flags, io } = this.#options
    const earlier = flags.before && (await examine(this.#subject(url, flags.before)))
    const period = flags.files.length > 0 ? filePeriod(flags) : storePeriod(flags, Date.now())
    const later = await examine(this.#subject(url, period))
    const report = this.#report(later, links)
    this.#print(report)
    if (earlier !== undefined && !flags.json) for (const line of compareLines(earlier, later, ui)) io.out(`${line}\n`)
    return exitCodeOf(report)
  }

  /** One diagnosis of a watch; false if the store did not answer: it may next time. */
  async #look(url: string, links: Links, period: Period, watched: Watched): Promise<boolean> {
    const { log, signal } = this.#options
    try {
      const report = this.#report(await examine(this.#subject(url, period), watched), links)
      if (isNews(report, this.#last)) this.#print(report)
      else log(`${clock(Date.now())} ${report.verdict}, as before: ${report.evidence.spans} spans`)
      this.#last = report
      return true
    } catch (error) {
      if (signal.aborted) return false
      if (!(error instanceof MeshError)) throw error
      log(`${clock(Date.now())} ${error.code}: ${error.message}`)
      return isMeshError(error, 'MESH_SPANS_ABSENT')
    }
  }

  #subject(url: string, period: Period): Subject {
    const { flags, signal, log } = this.#options
    return { url, files: flags.files, mesh: flags.mesh, period, signal, progress: log }
  }

  #report(examination: Examination, links: Links): Report {
    const { flags, emitter } = this.#options
    emitter?.emit(examination)
    return reportOf({ ...examination, links, node: flags.node })
  }

  #print(report: Report): void {
    const { flags, io } = this.#options
    if (flags.json) io.out(`${JSON.stringify(report)}\n`)
    else
      for (const line of reportLines(report, {
        columns: io.columns,
        colours: io.columns === undefined ? plain : paint,
      }))
        io.out(`${line}\n`)
  }

  /** The store of this machine, or the page of a lab, which passes questions on to the lab's own store. */
  async #defaultUrl(): Promise<string> {
    const [store, page] = defaultUrls
    for (const url of defaultUrls) if (await answers(url, this.#options.signal)) return url
    throw new MeshError('MESH_STACK_UNREACHABLE', {
      what: 'a trace store',
      url: `${store} or ${page}`,
      cause: 'neither answers',
      flag: '--url, or name files with --file',
    })
  }
}

async function answers(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(3_000)])
    const response = await fetch(`${url}/api/v3/services`, { signal: limit })
    await response.body?.cancel()
    return response.ok
  } catch {
    signal.throwIfAborted()
    return false
  }
}

/** Whether a watcher should see it: another verdict or another finding. */
function isNews(report: Report, last: Report | undefined): boolean {
  const keys = ({ findings }: Report) =>
    findings.map(({ disease, owner, certainty }) => `${certainty} ${disease} ${owner.node} ${owner.part}`).join('\n')
  return last === undefined || last.verdict !== report.verdict || keys(last) !== keys(report)
}

function exitCodeOf(report: Report | undefined): number {
  if (report?.verdict === 'ill') return exitCodes.failure
  return report?.verdict === 'healthy' ? exitCodes.ok : exitCodes.inconclusive
}

/** A file that is wrong is a usage error; a store that does not answer makes the diagnosis unclear. */
function reportFailure(error: unknown, signal: AbortSignal, log: (text: string) => void): number {
  if (signal.aborted) {
    log(`stopped: ${errorMessage(signal.reason)}`)
    return exitCodes.inconclusive
  }
  if (!(error instanceof MeshError)) throw error
  log(`${error.code}: ${error.message}`)
  const isOfStore = error.code.startsWith('MESH_TRACES_') || isMeshError(error, 'MESH_STACK_UNREACHABLE')
  const isEmpty = isMeshError(error, 'MESH_SPANS_ABSENT') && /^https?:/.test(error.detail.where)
  return isOfStore || isEmpty ? exitCodes.inconclusive : exitCodes.usage
}
