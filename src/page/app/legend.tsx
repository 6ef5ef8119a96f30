import type { MeshView } from '../mesh-view.ts'

/** Explains the colours that the graph currently uses. */
export function Legend({ view }: { readonly view: MeshView }) {
  const roles = [...new Set(view.nodes.map(({ role }) => role))].sort()
  const states = [...new Set(view.nodes.map(({ state }) => state))]
    .filter((state) => state !== 'running' && state !== 'guest')
    .sort()
  return (
    <ul class="legend" aria-label="Legend">
      {roles.map((role) => (
        <li key={role}>
          <i class={`dot role-${role}`} /> {role}
        </li>
      ))}
      {states.map((state) => (
        <li key={state}>
          <i class={`dot mark-${state}`} /> {state}
        </li>
      ))}
      {view.links.some(({ ends }) => ends === 1) && (
        <li>
          <i class="dash" /> reported by one end
        </li>
      )}
    </ul>
  )
}
