import { render } from 'preact'
import { useEffect, useMemo } from 'preact/hooks'
import type { MeshView } from '../mesh-view.ts'
import { uniqueNames } from '../model/names.ts'
import { hrefOf, type Route, type Tab, tabs } from '../model/route.ts'
import { Boot } from './boot.tsx'
import { Header } from './header.tsx'
import { Messages } from './messages.tsx'
import { NodePage } from './node-page.tsx'
import { Nodes } from './nodes.tsx'
import { UniqueNames } from './parts.tsx'
import { TokenForm } from './token-form.tsx'
import { Topology } from './topology.tsx'
import { TracePage } from './trace-page.tsx'
import { Traces } from './traces.tsx'
import { useMesh } from './use-mesh.ts'
import { useRoute } from './use-route.ts'

const titles: Readonly<Record<Tab, string>> = {
  topology: 'Topology',
  nodes: 'Nodes',
  traces: 'Traces',
  boot: 'Boot',
  messages: 'Messages',
}

function App() {
  const route = useRoute()
  const { view, problem, isTokenRequired } = useMesh()
  const names = useMemo(() => (view === undefined ? new Set<string>() : uniqueNames(view)), [view])
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
      <main id="main" tabIndex={-1}>
        <UniqueNames.Provider value={names}>
          {isTokenRequired ? <TokenForm problem={problem} /> : <Content route={route} view={view} />}
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
        <TracePage view={view} id={route.item} selected={route.params['span']} />
      )
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
