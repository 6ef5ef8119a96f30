import type { FastifyInstance } from 'fastify'
import * as z from 'zod'
import { type Diagnose, DoctorRuns } from './doctor-runs.ts'

export type { Diagnose } from './doctor-runs.ts'

/** Milliseconds since 1970. */
const time = z.coerce.number().int().nonnegative().max(8.64e15)
const question = z.object({ from: time, to: time }).refine(({ from, to }) => from < to, 'from is not before to')

/** Registers `/api/doctor?from&to`: a diagnosis from the spans of a trace store, or how far it is. */
export function doctorRoute(app: FastifyInstance, diagnose: Diagnose): void {
  const runs = new DoctorRuns(diagnose)
  app.addHook('onClose', async () => runs.close())
  app.get('/api/doctor', ({ query }) => {
    const { from, to } = question.parse(query)
    return runs.ask({ fromMs: from, toMs: to })
  })
}

/** Diagnoses from the trace store at `url`; of one mesh, or of all. */
export function diagnoseStore(url: string, mesh?: string): Diagnose {
  return async (period, signal, progress) => {
    // Nodes without a page need no doctor in their memory.
    const [{ examine }, { reportOf }] = await Promise.all([
      import('../doctor/report/examine.ts'),
      import('../doctor/report/report.ts'),
    ])
    const examination = await examine({ url: url.replace(/\/+$/, ''), files: [], mesh, period, signal, progress })
    return reportOf({ ...examination, links: () => undefined })
  }
}
