import { parentPort, workerData } from 'node:worker_threads'
import { type ErrorCode, type ErrorDetail, errorMessage, MeshError } from '../core/errors.ts'
import { examine } from '../doctor/report/examine.ts'
import { reportOf } from '../doctor/report/report.ts'
import type { DoctorTask, DoctorWord } from './doctor-thread.ts'

/** One diagnosis of a trace store, in a thread of its own. */
async function diagnose({ url, mesh, period }: DoctorTask): Promise<DoctorWord> {
  const { signal } = new AbortController()
  const progress = (text: string) => say({ is: 'progress', text })
  try {
    const examination = await examine({ url, files: [], mesh, period, signal, progress })
    return { is: 'report', report: reportOf({ ...examination, links: () => undefined }) }
  } catch (error) {
    if (error instanceof MeshError)
      return { is: 'mesh-error', code: error.code, detail: error.detail as ErrorDetail<ErrorCode> }
    return { is: 'error', message: errorMessage(error) }
  }
}

function say(word: DoctorWord): void {
  parentPort?.postMessage(word)
}

say(await diagnose(workerData as DoctorTask))
