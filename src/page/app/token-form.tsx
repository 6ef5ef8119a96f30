import { keepToken } from './ask.ts'

/** A server beyond loopback asks for its token. */
export function TokenForm() {
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    const token = new FormData(event.currentTarget as HTMLFormElement).get('token')
    if (typeof token === 'string' && token !== '') keepToken(token.trim())
    location.reload()
  }
  return (
    <form class="card narrow" onSubmit={submit}>
      <h2>A token is needed</h2>
      <label>
        Token <small>(MESH_ADMIN_TOKEN of this node; kept until this tab is closed)</small>
        <input name="token" type="password" autocomplete="off" required />
      </label>
      <button type="submit">Open</button>
    </form>
  )
}
