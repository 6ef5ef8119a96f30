import type { NodeState, ViewNode } from '../mesh-view.ts'
import { type Deed, useControl } from './control.ts'

interface Offer {
  readonly deed: Deed
  readonly text: string
  readonly about: string
}

const kill: Offer = { deed: 'kill', text: 'Kill', about: 'SIGKILL: no goodbye, the others find out by its silence' }
const stop: Offer = { deed: 'stop', text: 'Stop', about: 'Politely: goodbye, then an ordered stop' }
const pause: Offer = { deed: 'pause', text: 'Pause', about: 'SIGSTOP: it is there and answers nothing' }
const resume: Offer = { deed: 'resume', text: 'Resume', about: 'SIGCONT' }
const start: Offer = { deed: 'start', text: 'Start again', about: 'With the identity it had' }
const fresh: Offer = { deed: 'start?identity=fresh', text: 'Start afresh', about: 'With a new identity' }

const offers: Partial<Record<NodeState, readonly Offer[]>> = {
  starting: [kill],
  running: [kill, stop, pause],
  paused: [resume, kill],
  stopped: [start, fresh],
  killed: [start, fresh],
  waiting: [start],
  unreachable: [kill, stop, pause],
}

/** What can be done to a node of the lab; nothing to any other. */
export function NodeControls({ node }: { readonly node: ViewNode }) {
  const { busy, said, run } = useControl()
  if (!node.controllable) return null
  return (
    <fieldset class="row controls" aria-label={`Control ${node.name}`}>
      {(offers[node.state] ?? []).map(({ deed, text, about }) => (
        <button
          key={deed}
          type="button"
          title={about}
          class={deed === 'kill' ? 'danger' : ''}
          disabled={busy}
          onClick={() => void run(text, `/api/lab/nodes/${encodeURIComponent(node.name)}/${deed}`)}
        >
          {text}
        </button>
      ))}
      <output>{said}</output>
    </fieldset>
  )
}
