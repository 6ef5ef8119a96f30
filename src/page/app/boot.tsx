import type { MeshView } from '../mesh-view.ts'
import { type BootLane, bootChart } from '../model/mesh.ts'
import { duration } from '../model/text.ts'
import { type Column, NodeLink, Table } from './parts.tsx'

/** Number of colours for steps in `app.css`. */
const stepColours = 4

/** Boot steps of each node: a lane per node, a mark per step. */
export function Boot({ view }: { readonly view: MeshView }) {
  const { lanes, scaleMs } = bootChart(view.boot)
  const stepNames = [...new Set(view.boot.map(({ what }) => what))]
  if (lanes.length === 0) {
    const emptyText =
      view.from === 'observer'
        ? 'An observer does not see processes start; only a lab does.'
        : 'No node has started yet.'
    return (
      <section class="card">
        <p class="quiet">{emptyText}</p>
      </section>
    )
  }
  const columns: readonly Column<BootLane>[] = [
    {
      title: 'Node',
      cell: ({ node, isLate, baseMs }) => (
        <>
          <NodeLink node={view.nodes.find(({ name }) => name === node) ?? { name: node, id: node }} />{' '}
          {isLate && <small>after {duration(baseMs)}</small>}
        </>
      ),
    },
    {
      title: 'Steps',
      head: (
        <ul class="legend">
          {stepNames.map((what, index) => (
            <li key={what}>
              <i class={`dot step-${index % stepColours}`} /> {what}
            </li>
          ))}
        </ul>
      ),
      cell: (lane) => <Lane lane={lane} scaleMs={scaleMs} stepNames={stepNames} />,
    },
    { title: 'Took', cell: (lane) => duration(endMsOf(lane) - startMsOf(lane)), number: true },
  ]
  return (
    <section class="card">
      <Table class="boot" caption={captionOf(lanes)} columns={columns} rows={lanes} keyOf={({ node }) => node} />
    </section>
  )
}

function captionOf(lanes: readonly BootLane[]): string {
  const together = lanes.filter(({ isLate }) => !isLate)
  const tookMs = Math.max(...together.map((lane) => endMsOf(lane) - lane.baseMs))
  const others = lanes.length - together.length
  const rest = others === 0 ? '' : `; ${others} started later, each shown from its own start`
  return `Boot of ${together.length} nodes in ${duration(tookMs)}${rest}`
}

interface LaneProps {
  readonly lane: BootLane
  readonly scaleMs: number
  readonly stepNames: readonly string[]
}

function Lane({ lane, scaleMs, stepNames }: LaneProps) {
  const { steps, baseMs } = lane
  const percent = (ms: number) => `${(ms / scaleMs) * 100}%`
  const [from, to] = [startMsOf(lane), endMsOf(lane)]
  const label = steps.map(({ what, atMs }) => `${what} at ${duration(atMs - baseMs)}`).join(', ')
  return (
    <div class="boot-lane" role="img" aria-label={label} title={label}>
      <span class="bar" style={{ left: percent(from - baseMs), width: percent(to - from) }} />
      {steps.map(({ what, atMs }) => (
        <i
          key={`${what} ${atMs}`}
          class={`dot step-${stepNames.indexOf(what) % stepColours}`}
          style={{ left: percent(atMs - baseMs) }}
        />
      ))}
    </div>
  )
}

function startMsOf({ steps, baseMs }: BootLane): number {
  return steps[0]?.atMs ?? baseMs
}

function endMsOf({ steps, baseMs }: BootLane): number {
  return steps.at(-1)?.atMs ?? baseMs
}
