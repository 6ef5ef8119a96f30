import { useState } from 'preact/hooks'
import { storeToken } from './api.ts'
import { Problem } from './parts.tsx'

/** A server beyond loopback asks for its token. `problem`: what it said to the last question. */
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
      <h2>A token is needed</h2>
      <Problem text={invalid ?? problem} />
      <label>
        Token <small>(MESH_ADMIN_TOKEN of this node; kept until this tab is closed)</small>
        <input name="token" type="password" autocomplete="off" required />
      </label>
      <button type="submit">Open</button>
    </form>
  )
}
