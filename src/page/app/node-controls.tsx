import type { NodeState, ViewNode } from '../mesh-view.ts'
import { type NodeAction, useControl } from './control.ts'

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

const buttonsByState: Partial<Record<NodeState, readonly ActionButton[]>> = {
  starting: [kill],
  running: [kill, stop, pause],
  paused: [resume, kill],
  stopped: [start, fresh],
  killed: [start, fresh],
  failed: [start, fresh],
  waiting: [start],
  unreachable: [kill, stop, pause],
}

/** Action buttons for a node of the lab; empty for any other node. */
export function NodeControls({ node }: { readonly node: ViewNode }) {
  const { busy, status, run } = useControl()
  if (!node.controllable) return null
  return (
    <fieldset class="row controls" aria-label={`Control ${node.name}`}>
      {(buttonsByState[node.state] ?? []).map(({ action, text, title }) => (
        <button
          key={action}
          type="button"
          title={title}
          class={action === 'kill' ? 'danger' : ''}
          disabled={busy}
          onClick={() => void run(text, `/api/lab/nodes/${encodeURIComponent(node.name)}/${action}`)}
        >
          {text}
        </button>
      ))}
      <output>{status}</output>
    </fieldset>
  )
}
