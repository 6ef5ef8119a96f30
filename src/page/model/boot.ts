import type { BootStep } from '../mesh-view.ts'

/** How one node came up. */
export interface BootLane {
  readonly node: string
  /** In order of time. */
  readonly steps: readonly BootStep[]
  /** Where the lane begins, milliseconds since the lab's start: the first start of all, or its own if it came later. */
  readonly baseMs: number
  /** Whether it was started after somebody knew everybody: it did not boot with the others. */
  readonly isLate: boolean
}

export interface BootChart {
  readonly lanes: readonly BootLane[]
  /** Length of the longest lane in milliseconds, the same scale for all; at least 1. */
  readonly scaleMs: number
}

/**
 * Lanes by start. A node that is started an hour later is measured from its own start: on the scale of that hour nothing
 * could be seen of how the others booted.
 */
export function bootChart(boot: readonly BootStep[]): BootChart {
  const firstCompleteMs = Math.min(...boot.flatMap(({ what, atMs }) => (what === 'all members' ? [atMs] : [])))
  const firstMs = Math.min(...boot.map(({ atMs }) => atMs))
  const lanes = [...Map.groupBy(boot, ({ node }) => node)].map(([node, own]): BootLane => {
    const steps = own.toSorted((a, b) => a.atMs - b.atMs)
    const startMs = steps[0]?.atMs ?? firstMs
    const isLate = startMs > firstCompleteMs
    return { node, steps, baseMs: isLate ? startMs : firstMs, isLate }
  })
  const lengths = lanes.map(({ steps, baseMs }) => (steps.at(-1)?.atMs ?? baseMs) - baseMs)
  const byStart = lanes.toSorted((a, b) => (a.steps[0]?.atMs ?? 0) - (b.steps[0]?.atMs ?? 0))
  return { lanes: byStart, scaleMs: Math.max(1, ...lengths) }
}
