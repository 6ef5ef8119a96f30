import type { MeshView } from '../mesh-view.ts'
import { useControl } from './control.ts'

/** Characters of what may be said here. */
const mostChars = 500

/** One node of the lab says something to all the others of its mesh. */
export function Say({ view }: { readonly view: MeshView }) {
  const { busy, said, run } = useControl()
  const able = view.nodes.filter(({ controllable, state }) => controllable && state === 'running')
  const submit = async (event: SubmitEvent) => {
    event.preventDefault()
    const form = event.currentTarget as HTMLFormElement
    const chosen = new FormData(form)
    const [node, text] = [String(chosen.get('node')), String(chosen.get('text')).trim()]
    if (await run(`${node} says it`, `/api/lab/nodes/${encodeURIComponent(node)}/messages`, { text })) form.reset()
  }
  return (
    <form class="row" onSubmit={submit} aria-label="Say something">
      <label>
        Node
        <select name="node">
          {able.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <label class="grow">
        Text
        <input name="text" required maxLength={mostChars} autocomplete="off" />
      </label>
      <button type="submit" disabled={busy || able.length === 0}>
        Say
      </button>
      <output>{said}</output>
    </form>
  )
}
