import type { Check } from '../proof.ts'
import type { ApplicationProcess, Status } from './application-process.ts'

/** The processes of one application, with the mesh or without it. */
export interface Side {
  readonly name: 'with' | 'without'
  readonly processes: readonly ApplicationProcess[]
}

/** A real application, and the checks of its own work. */
export interface Application {
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
