import type { MeshView } from '../mesh-view.ts'
import { useControl } from './control.ts'

/** Longest message, in characters. */
const maxChars = 500

/** Publishes a message from one node of the lab to its mesh. */
export function PublishForm({ view }: { readonly view: MeshView }) {
  const { busy, status, run } = useControl()
  const runningNodes = view.nodes.filter(({ controllable, state }) => controllable && state === 'running')
  const submit = async (event: SubmitEvent) => {
    event.preventDefault()
    const form = event.currentTarget as HTMLFormElement
    const fields = new FormData(form)
    const [node, text] = [String(fields.get('node')), String(fields.get('text')).trim()]
    if (await run(`${node} publishes`, `/api/lab/nodes/${encodeURIComponent(node)}/messages`, { text })) form.reset()
  }
  return (
    <form class="row" onSubmit={submit} aria-label="Publish a message">
      <label>
        Node
        <select name="node">
          {runningNodes.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <label class="grow">
        Text
        <input name="text" required maxLength={maxChars} autocomplete="off" />
      </label>
      <button type="submit" disabled={busy || runningNodes.length === 0}>
        Publish
      </button>
      <output>{status}</output>
    </form>
  )
}
