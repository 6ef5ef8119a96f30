import type { BootStep, MeshView } from '../mesh-view.ts'
import { duration } from '../model/format.ts'
import { keyOf, NodeLink } from './parts.tsx'

/** How each node came up: a line per node, a mark per step, from the start of the lab. */
export function Boot({ view }: { readonly view: MeshView }) {
  const lines = [...Map.groupBy(view.boot, ({ node }) => node)].sort(([, a], [, b]) => first(a) - first(b))
  const base = first(view.boot)
  const whole = Math.max(1, last(view.boot) - base)
  const whats = [...new Set(view.boot.map(({ what }) => what))]
  if (lines.length === 0) {
    const why =
      view.from === 'observer' ? 'An observer does not see processes start: the lab does.' : 'Nothing has started yet.'
    return (
      <section class="card">
        <p class="quiet">{why}</p>
      </section>
    )
  }
  return (
    <section class="card">
      <div class="scroll">
        <table class="boot">
          <caption>
            Boot of {lines.length} nodes in {duration(whole)}
          </caption>
          <thead>
            <tr>
              <th scope="col">Node</th>
              <th scope="col">
                <ul class="legend">
                  {whats.map((what, index) => (
                    <li key={what}>
                      <i class={`dot step-${index % 6}`} /> {what}
                    </li>
                  ))}
                </ul>
              </th>
              <th scope="col" class="number">
                Took
              </th>
            </tr>
          </thead>
          <tbody>
            {lines.map(([node, steps]) => (
              <tr key={node}>
                <th scope="row">
                  <NodeLink node={view.nodes.find((one) => keyOf(one) === node) ?? { name: node, id: node }} />
                </th>
                <td>
                  <Lane steps={steps} base={base} whole={whole} whats={whats} />
                </td>
                <td class="number">{duration(last(steps) - first(steps))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}

interface LaneProps {
  readonly steps: readonly BootStep[]
  /** When the first of all nodes started, and how long it took them all: milliseconds. */
  readonly base: number
  readonly whole: number
  readonly whats: readonly string[]
}

function Lane({ steps, base, whole, whats }: LaneProps) {
  const percent = (ms: number) => `${(ms / whole) * 100}%`
  const [from, to] = [first(steps), last(steps)]
  const told = steps.map(({ what, atMs }) => `${what} at ${duration(atMs - base)}`).join(', ')
  return (
    <div class="boot-lane" role="img" aria-label={told} title={told}>
      <span class="bar" style={{ left: percent(from - base), width: percent(to - from) }} />
      {steps.map(({ what, atMs }) => (
        <i
          key={`${what} ${atMs}`}
          class={`dot step-${whats.indexOf(what) % 6}`}
          style={{ left: percent(atMs - base) }}
        />
      ))}
    </div>
  )
}

function first(steps: readonly BootStep[]): number {
  return Math.min(...steps.map(({ atMs }) => atMs))
}

function last(steps: readonly BootStep[]): number {
  return Math.max(...steps.map(({ atMs }) => atMs))
}
