import { useContext, useState } from 'preact/hooks'
import { roles } from '../../catalogue/roles.ts'
import { errorMessage } from '../../core/errors.ts'
import type { MeshView, NodeState, ViewNode } from '../mesh-view.ts'
import { requestJson } from './api.ts'
import { IsLive, Select } from './parts.tsx'

type NodeAction = 'kill' | 'stop' | 'pause' | 'resume' | 'start' | 'start?identity=fresh'

export interface Control {
  readonly busy: boolean
  /** Result of the last action, as text. */
  readonly status: string
  /** Never rejects; resolves with whether the action succeeded. */
  run(what: string, path: string, body?: object): Promise<boolean>
}

/** Runs one action at a time and keeps its result as text. Busy, too, while the server does not answer. */
function useControl(): Control {
  const isLive = useContext(IsLive)
  const [state, setState] = useState({ busy: false, status: '' })
  const run = async (what: string, path: string, body?: object) => {
    setState({ busy: true, status: `${what} …` })
    const init =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
    const [isOk, outcome] = await requestJson(path, { method: 'POST', ...init }).then(
      () => [true, 'done'] as const,
      (error: unknown) => [false, errorMessage(error)] as const,
    )
    setState({ busy: false, status: `${what}: ${outcome}` })
    return isOk
  }
  return { ...state, busy: state.busy || !isLive, run }
}

interface ActionButton {
  readonly action: NodeAction
  readonly text: string
  readonly title: string
}

const kill: ActionButton = { action: 'kill', text: 'Kill', title: 'SIGKILL: no goodbye, other nodes expire it' }
const stop: ActionButton = { action: 'stop', text: 'Stop', title: 'Graceful: goodbye, then an ordered stop' }
const pause: ActionButton = { action: 'pause', text: 'Pause', title: 'SIGSTOP: the process stays and answers nothing' }
const resume: ActionButton = { action: 'resume', text: 'Resume', title: 'SIGCONT' }
const start: ActionButton = { action: 'start', text: 'Start again', title: 'With the same identity' }
const fresh: ActionButton = { action: 'start?identity=fresh', text: 'Start afresh', title: 'With a new identity' }

/** Each place keeps its button in every state: nothing moves under the pointer, and the focus stays. */
const places: readonly (readonly ActionButton[])[] = [[kill], [stop], [pause, resume], [start], [fresh]]

const actionsByState: Partial<Record<NodeState, readonly ActionButton[]>> = {
  starting: [kill],
  running: [kill, stop, pause],
  paused: [resume, kill],
  stopped: [start, fresh],
  killed: [start, fresh],
  failed: [start, fresh],
  waiting: [start],
  unreachable: [kill, stop, pause],
}

/** Action buttons for a node of the lab; empty for any other node. A kill is undone by a start with the same identity. */
export function NodeControls({ node }: { readonly node: ViewNode }) {
  const { busy, status, run } = useControl()
  if (!node.controllable) return null
  const actions = actionsByState[node.state] ?? []
  return (
    <fieldset class="row controls" aria-label={`Control ${node.name}`}>
      {places.map((buttons, place) => {
        const button = buttons.find((one) => actions.includes(one)) ?? buttons[0]
        if (button === undefined) return null
        const { action, text, title } = button
        // A disabled button loses the focus.
        const isOff = busy || !actions.includes(button)
        return (
          <button
            key={places[place]?.[0]?.action}
            type="button"
            title={title}
            class={action === 'kill' ? 'danger' : ''}
            aria-disabled={isOff}
            onClick={() => !isOff && void run(text, `/api/lab/nodes/${encodeURIComponent(node.name)}/${action}`)}
          >
            {text}
          </button>
        )
      })}
      <output>{status}</output>
    </fieldset>
  )
}

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
      <Select label="Role" name="role" options={roleOptions.filter((role) => role !== 'bridge' || meshes.length > 1)} />
      <Select label="Mesh" name="mesh" options={meshes} />
      <button type="submit" disabled={busy}>
        Start another node
      </button>
      <output>{status}</output>
    </form>
  )
}

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
      <Select label="Node" name="node" options={runningNodes.map(({ name }) => name)} />
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
