import { Worker } from 'node:worker_threads'
import { type ErrorCode, type ErrorDetail, MeshError } from '../core/errors.ts'
import type { Report } from '../doctor/report/report.ts'
import type { AskedPeriod, Diagnose } from './doctor-runs.ts'

/** What the thread gets. */
export interface DoctorTask {
  readonly url: string
  readonly mesh: string | undefined
  readonly period: AskedPeriod
}

/** What the thread says. Errors lose their class on the way. */
export type DoctorWord =
  | { readonly is: 'progress'; readonly text: string }
  | { readonly is: 'report'; readonly report: Report }
  | { readonly is: 'mesh-error'; readonly code: ErrorCode; readonly detail: ErrorDetail<ErrorCode> }
  | { readonly is: 'error'; readonly message: string }

/** Megabytes that a diagnosis of 15 minutes needs, and that one of ten million spans does. Guesses. */
const [leastMb, mostMb] = [64, 384]
/** Part of the free memory: beyond it the diagnosis ends, not the node. */
const memoryShare = 0.6
/** A clone has TypeScript, a package a bundle beside the one of this module. */
const program = new URL(`./doctor-worker.${import.meta.filename.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url)

/**
 * Diagnoses from the trace store at `url`, of one mesh or of all: in a thread, since reading a million spans takes 20 s of
 * CPU, in which the node would neither answer its peers nor its page.
 */
export function diagnoseStore(url: string, mesh?: string): Diagnose {
  return (period, signal, progress) => {
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<Report>()
    const workerData: DoctorTask = { url: url.replace(/\/+$/, ''), mesh, period }
    // Flags of this process, such as those of its watchdog, are not meant for the thread.
    const execArgv = process.execArgv.filter((flag) => /^--(?:experimental-strip-types|disable-warning)/.test(flag))
    const resourceLimits = { maxOldGenerationSizeMb: memoryLimitMb(process.availableMemory()) }
    const worker = new Worker(program, { name: 'doctor', workerData, execArgv, resourceLimits })
    const abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    worker.on('message', (word: DoctorWord) => {
      if (word.is === 'progress') progress(word.text)
      else if (word.is === 'report') resolve(word.report)
      else reject(word.is === 'error' ? new Error(word.message) : new MeshError(word.code, word.detail))
    })
    worker.once('error', reject)
    worker.once('exit', (code) => reject(new Error(`the thread of the doctor ended with ${code}`)))
    return promise.finally(async () => {
      signal.removeEventListener('abort', abort)
      await worker.terminate()
    })
  }
}

export function memoryLimitMb(availableBytes: number): number {
  return Math.max(leastMb, Math.min(mostMb, Math.floor((memoryShare * availableBytes) / 1_048_576)))
}
