import { roles } from '../../catalogue/roles.ts'
import type { MeshView } from '../mesh-view.ts'
import { useControl } from './control.ts'

/** The most frequent choice comes first. */
const roleOptions = ['compute', ...roles.filter((role) => role !== 'compute')]

/** Starts another node in the lab. */
export function Spawn({ view }: { readonly view: MeshView }) {
  const { busy, status, run } = useControl()
  const meshes = [...new Set(view.nodes.flatMap((node) => node.meshes))].sort()
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    const fields = new FormData(event.currentTarget as HTMLFormElement)
    const [role, mesh] = [String(fields.get('role')), String(fields.get('mesh'))]
    void run(`new ${role} in ${mesh}`, '/api/lab/nodes', { role, mesh })
  }
  return (
    <form class="row" onSubmit={submit} aria-label="Start another node">
      <label>
        Role
        <select name="role">
          {roleOptions
            .filter((role) => role !== 'bridge' || meshes.length > 1)
            .map((role) => (
              <option key={role}>{role}</option>
            ))}
        </select>
      </label>
      <label>
        Mesh
        <select name="mesh">
          {meshes.map((mesh) => (
            <option key={mesh}>{mesh}</option>
          ))}
        </select>
      </label>
      <button type="submit" disabled={busy}>
        Start another node
      </button>
      <output>{status}</output>
    </form>
  )
}
