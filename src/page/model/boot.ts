import type { BootStep } from '../mesh-view.ts'

/** Boot steps of one node. */
export interface BootLane {
  readonly node: string
  /** In order of time. */
  readonly steps: readonly BootStep[]
  /** Start of the lane, milliseconds since the lab's start: the first start of all nodes, or its own if it is late. */
  readonly baseMs: number
  /** Whether it started after the first node knew all members, so not with the others. */
  readonly isLate: boolean
}

export interface BootChart {
  readonly lanes: readonly BootLane[]
  /** Length of the longest lane in milliseconds, the scale of all lanes; at least 1. */
  readonly scaleMs: number
}

/**
 * Lanes, sorted by start. A late node is measured from its own start: on the scale of an hour the boot of the others
 * would not be visible.
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
