import type { MeshView } from '../mesh-view.ts'
import { clock, plural } from '../model/format.ts'

interface HeaderProps {
  readonly view: MeshView | undefined
  readonly problem: string | undefined
}

export function Header({ view, problem }: HeaderProps) {
  const members = view?.nodes.filter(({ state }) => state !== 'guest') ?? []
  const running = members.filter(({ state }) => state === 'running').length
  return (
    <header>
      <h1>
        <img src="/icon.svg" alt="" width="22" height="22" /> tracemesh
        {view && <small>{view.title}</small>}
      </h1>
      {view && (
        <p class="figures">
          <span>
            <b>{running}</b> of {plural(members.length, 'node')} running
          </span>
          <span>
            <b>{view.links.length}</b> {view.links.length === 1 ? 'link' : 'links'}
          </span>
        </p>
      )}
      <p class={`pulse ${problem === undefined ? 'live' : 'stale'}`} role="status">
        {problem === undefined
          ? view === undefined
            ? 'connecting'
            : 'live'
          : view === undefined
            ? problem
            : `not since ${clock(view.atMs)}: ${problem}`}
      </p>
    </header>
  )
}
