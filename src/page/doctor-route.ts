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
