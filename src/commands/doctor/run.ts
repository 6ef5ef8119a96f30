import { errorMessage, isMeshError, MeshError } from '../../core/errors.ts'
import { EvidenceFold } from '../../doctor/evidence/fold.ts'
import { type Examination, examine, firstReading, type Subject, withSpans } from '../../doctor/report/examine.ts'
import { printableText } from '../../doctor/report/printable.ts'
import { type Report, reportOf } from '../../doctor/report/report.ts'
import type { Period } from '../../doctor/sources/source.ts'
import { paint, plain } from '../../lab/lines.ts'
import { errorLine, exitCodes, type Terminal } from '../command.ts'
import type { Stoppable } from '../run-until-stopped.ts'
import { compare, compareLines, type DiagnosedPeriod } from './compare.ts'
import { DiagnosisEmitter } from './emit.ts'
import { type DoctorFlags, laterPeriod, storePeriod } from './flags.ts'
import { linksTo, type PageLinks } from './links.ts'
import { probeOf } from './probe.ts'
import { type Probe, probeEvidence } from './probe-spans.ts'
import { probeLines } from './probe-text.ts'
import { reportLines } from './report-text.ts'
import { DoctorWatch } from './watch.ts'

const defaultUrls = ['http://127.0.0.1:16686', 'http://127.0.0.1:16700'] as const

/** Starts a diagnosis, or with `--watch` one after another. */
export async function startDoctor(flags: DoctorFlags, io: Terminal): Promise<Stoppable> {
  const stopping = new AbortController()
  const log = (text: string) => io.err(`${printableText(text)}\n`)
  const emitter = flags.emit === undefined ? undefined : new DiagnosisEmitter(flags.emit, log)
  const doctor = new Doctor({ flags, io, log, emitter, signal: stopping.signal })
  const code = doctor.run().catch((error: unknown) => {
    if (flags.json && error instanceof MeshError) io.out(errorLine(error))
    return reportFailure(error, stopping.signal, log)
  })
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

  constructor(options: DoctorOptions) {
    this.#options = options
  }

  /** Resolves to the exit code. */
  async run(): Promise<number> {
    const { flags, signal } = this.#options
    const url = flags.files.length > 0 ? '' : (flags.url ?? (await this.#defaultUrl()))
    const ui = flags.ui ?? url
    if (flags.watch) return await this.#watch(url, ui)
    return await this.#once(url, await linksTo(ui, flags.ui !== undefined, signal))
  }

  async #once(url: string, links: PageLinks): Promise<number> {
    const { flags, io, emitter, signal, log } = this.#options
    const earlier = flags.before && (await this.#earlier(url, flags.before, links))
    const probe = await probeOf(flags, signal, log)
    if (probe !== undefined) emitter?.emitSpans(probe.answer.process.mesh, probe.effects)
    const examination = await this.#examine(url, probe)
    emitter?.emit(examination)
    const report = this.#report(examination, links)
    const { evidence } = examination
    const comparison = earlier && compare(earlier, { report, evidence })
    const more = { ...(probe && { probe: probe.answer }), ...(comparison && { comparison }) }
    if (flags.json) io.out(`${JSON.stringify({ ...report, ...more })}\n`)
    else {
      for (const line of reportLines(report, textOptions(io))) io.out(`${line}\n`)
      if (probe !== undefined) for (const line of probeLines(probe.answer, io.columns)) io.out(`${line}\n`)
      if (comparison !== undefined) for (const line of compareLines(comparison, links.compare)) io.out(`${line}\n`)
    }
    return exitCodeOf(report)
  }

  /** What the probe found is evidence of its process. */
  async #examine(url: string, probe: Probe | undefined): Promise<Examination> {
    const { flags, log } = this.#options
    const fold = new EvidenceFold()
    const examination = await examine(this.#subject(url, laterPeriod(flags, Date.now())), firstReading(fold))
    if (probe === undefined) return examination
    const { mesh, node } = probe.answer.process
    const spans = probeEvidence(probe, examination.evidence)
    if (spans.length === 0) log(`the spans have no process of ${node} of ${mesh}, which was probed`)
    return withSpans(examination, fold, spans)
  }

  /** Without spans of the earlier period there is no comparison, but a diagnosis of the later one. */
  async #earlier(url: string, period: Period, links: PageLinks): Promise<DiagnosedPeriod | undefined> {
    try {
      const examination = await examine(this.#subject(url, period))
      return { report: this.#report(examination, links), evidence: examination.evidence }
    } catch (error) {
      if (!isMeshError(error, 'MESH_SPANS_ABSENT')) throw error
      this.#options.log(`no comparison: ${error.message}`)
      return undefined
    }
  }

  async #watch(url: string, ui: string): Promise<number> {
    const { flags, io, log, signal, emitter } = this.#options
    let links: PageLinks | undefined
    const watch = new DoctorWatch({
      ...{ url, mesh: flags.mesh, everyMs: flags.every, signal, log, text: textOptions(io) },
      fromMs: storePeriod(flags, Date.now()).fromMs,
      // The page may come up with the store.
      report: async (examination) => {
        links ??= await linksTo(ui, flags.ui !== undefined, signal)
        emitter?.emit(examination)
        return this.#report(examination, links)
      },
      print: (report, lines) => {
        if (flags.json) io.out(`${JSON.stringify(report)}\n`)
        else for (const line of lines) io.out(`${line}\n`)
      },
    })
    return exitCodeOf(await watch.run())
  }

  #subject(url: string, period: Period): Subject {
    const { flags, signal, log } = this.#options
    return { url, files: flags.files, mesh: flags.mesh, period, signal, progress: log }
  }

  #report(examination: Examination, { trace, search }: PageLinks): Report {
    return reportOf({ ...examination, links: trace, search, node: this.#options.flags.node })
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

function textOptions({ columns }: Terminal) {
  return { columns, colours: columns === undefined ? plain : paint }
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
  if (isMeshError(error, 'MESH_PROBE_FAILED')) return exitCodes.inconclusive
  const isOfStore = error.code.startsWith('MESH_TRACES_') || isMeshError(error, 'MESH_STACK_UNREACHABLE')
  const isEmpty = isMeshError(error, 'MESH_SPANS_ABSENT') && /^https?:/.test(error.detail.where)
  return isOfStore || isEmpty ? exitCodes.inconclusive : exitCodes.usage
}
