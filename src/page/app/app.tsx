import { render } from 'preact'
import { useEffect, useLayoutEffect, useMemo, useState } from 'preact/hooks'
import type { MeshView } from '../mesh-view.ts'
import { uniqueNames } from '../model/mesh.ts'
import { hrefOf, parseRoute, plural, type Route, type Tab, tabs, zoneName } from '../model/text.ts'
import { ageText, type Trouble } from '../model/trouble.ts'
import { storeToken, useMesh } from './api.ts'
import { Boot } from './boot.tsx'
import { Doctor } from './doctor.tsx'
import { Messages } from './messages.tsx'
import { NodePage } from './node-page.tsx'
import { Nodes } from './nodes.tsx'
import { OpenTrace } from './open-trace.tsx'
import { Detail, IsLive, KnownNodes, Problem, UniqueNames } from './parts.tsx'
import { Topology } from './topology.tsx'
import { Traces } from './traces.tsx'

interface HeaderProps {
  readonly view: MeshView | undefined
  readonly problem: Trouble | undefined
}

function Header({ view, problem }: HeaderProps) {
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
          <span title="Of this browser; a time of another day has its date">times in {zoneName()}</span>
        </p>
      )}
      <Pulse view={view} problem={problem} />
    </header>
  )
}

/** Whether the view is live, or else why not and how old it is; every poll renders it again. */
function Pulse({ view, problem }: HeaderProps) {
  if (problem === undefined) {
    return (
      <p class="pulse live" role="status">
        {view === undefined ? 'connecting' : 'live'}
      </p>
    )
  }
  return (
    <div class="pulse stale" role="status">
      {problem.text} <span aria-live="off">{view && ageText(view, Date.now())}</span> <Detail text={problem.detail} />
    </div>
  )
}

/** Asks the user for the token that a server beyond loopback requires. `problem`: its last error. */
function TokenForm({ problem }: { readonly problem: Trouble | undefined }) {
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

function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash))
  useLayoutEffect(() => {
    const onHashChange = () => setRoute(parseRoute(location.hash))
    window.addEventListener('hashchange', onHashChange)
    // The address may have changed since the first render.
    onHashChange()
    return () => window.removeEventListener('hashchange', onHashChange)
  }, [])
  return route
}

const titles: Readonly<Record<Tab, string>> = {
  topology: 'Topology',
  nodes: 'Nodes',
  traces: 'Traces',
  doctor: 'Doctor',
  boot: 'Boot',
  messages: 'Messages',
}

function App() {
  const route = useRoute()
  const { view, problem, isTokenRequired } = useMesh()
  const names = useMemo(() => (view === undefined ? new Set<string>() : uniqueNames(view)), [view])
  const nodes = useMemo(() => new Map(view?.nodes.map((node) => [node.id, node])), [view])
  useEffect(() => {
    document.title = `${route.item ?? titles[route.tab]} · ${view?.title ?? 'tracemesh'}`
  }, [route, view?.title])
  return (
    <>
      <button type="button" class="skip" onClick={focusMain}>
        Skip to content
      </button>
      <Header view={view} problem={problem} />
      <nav aria-label="Views">
        {tabs.map((tab) => (
          <a key={tab} href={hrefOf(tab)} aria-current={tab === route.tab ? 'page' : undefined}>
            {titles[tab]}
          </a>
        ))}
      </nav>
      <main id="main" tabIndex={-1} class={problem === undefined || isTokenRequired ? undefined : 'stale'}>
        <UniqueNames.Provider value={names}>
          <KnownNodes.Provider value={nodes}>
            <IsLive.Provider value={problem === undefined}>
              {isTokenRequired ? <TokenForm problem={problem} /> : <Content route={route} view={view} />}
            </IsLive.Provider>
          </KnownNodes.Provider>
        </UniqueNames.Provider>
      </main>
    </>
  )
}

function Content({ route, view }: { readonly route: Route; readonly view: MeshView | undefined }) {
  if (view === undefined) return <p class="quiet">Loading the mesh …</p>
  switch (route.tab) {
    case 'topology':
      return <Topology view={view} />
    case 'nodes':
      return route.item === undefined ? <Nodes view={view} /> : <NodePage view={view} nameOrId={route.item} />
    case 'traces':
      return route.item === undefined ? (
        <Traces view={view} params={route.params} />
      ) : (
        <OpenTrace view={view} id={route.item} selected={route.params['span']} />
      )
    case 'doctor':
      return <Doctor view={view} params={route.params} />
    case 'boot':
      return <Boot view={view} />
    case 'messages':
      return <Messages view={view} />
  }
}

/** Not a link: the address after # names the view. */
function focusMain(): void {
  document.querySelector('main')?.focus()
}

const root = document.querySelector('#app')
if (root !== null) render(<App />, root)
