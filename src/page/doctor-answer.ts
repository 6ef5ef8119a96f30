import type { Report } from '../doctor/report/report.ts'
import type { Trouble } from './model/trouble.ts'

/** What `/api/doctor` answers. A page asks again until it is done or has failed. */
export type DoctorAnswer =
  | { readonly state: 'done'; readonly report: Report }
  | { readonly state: 'running'; readonly progress: string; readonly tookMs: number }
  /** Another period is being diagnosed. */
  | { readonly state: 'busy' }
  | { readonly state: 'failed'; readonly trouble: Trouble }
