import { maxNodes } from './plan.ts'

/** Milliseconds that the steps of a lab's stop may take, one after the other. */
export const stopLimits = {
  /** How things are is asked first: those who do not answer must not keep the record away. */
  surveyMs: 8_000,
  /** From SIGTERM to SIGKILL: a node stops within 5 s; one that is starting does that first. */
  nodeMs: 6_000,
  startingMs: 15_000,
  statsMs: 5_000,
  storeMs: 6_000,
  /** Between two that are asked to stop: about what a stop costs two cores, so that each has time for its goodbyes. */
  intervalMs: 50,
} as const

/** Of all of them, and of what is removed and told after them. */
export const stopWithinMs =
  stopLimits.surveyMs +
  maxNodes * stopLimits.intervalMs +
  stopLimits.startingMs +
  stopLimits.statsMs +
  stopLimits.storeMs +
  6_000
