import { useState } from 'preact/hooks'
import { storeToken } from './api.ts'
import { Problem } from './parts.tsx'

/** Asks the user for the token that a server beyond loopback requires. `problem`: its last error. */
export function TokenForm({ problem }: { readonly problem: string | undefined }) {
  const [invalid, setInvalid] = useState<string>()
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    const token = new FormData(event.currentTarget as HTMLFormElement).get('token')
    const tokenProblem = storeToken(String(token ?? '').trim())
    setInvalid(tokenProblem)
    if (tokenProblem === undefined) location.reload()
  }
  return (
    <form class="card narrow" onSubmit={submit}>
      <h2>Token required</h2>
      <Problem text={invalid ?? problem} />
      <label>
        Token <small>(MESH_ADMIN_TOKEN of this node; stored until this tab is closed)</small>
        <input name="token" type="password" autocomplete="off" required />
      </label>
      <button type="submit">Open</button>
    </form>
  )
}
