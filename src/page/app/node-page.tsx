import type { MeshView, ViewNode } from '../mesh-view.ts'
import { duration } from '../model/format.ts'
import { findNode } from '../model/names.ts'
import { hrefOf } from '../model/route.ts'
import { ExpiredBy } from './expired-by.tsx'
import { Inventory } from './inventory.tsx'
import { LastMinute } from './last-minute.tsx'
import { NodeControls } from './node-controls.tsx'
import { NodeLinks } from './node-links.tsx'
import { Copy, meshesOf, NodeById, Role, State } from './parts.tsx'

/** Everything the page knows about one node. */
export function NodePage({ view, nameOrId }: { readonly view: MeshView; readonly nameOrId: string }) {
  const node = findNode(view, nameOrId)
  if (node === undefined) return <RemovedNode view={view} nameOrId={nameOrId} />
  const hasTraces = view.traces && node.state !== 'guest'
  return (
    <div class="columns">
      <div class="stack">
        <section class="card">
          <h2>
            {node.name || 'guest'} <Role role={node.role} /> <State state={node.state} />
          </h2>
          <NodeControls key={node.name} node={node} />
          <Digest node={node} view={view} />
        </section>
        {node.inventory !== undefined && <Inventory key={node.inventory} path={node.inventory} />}
      </div>
      <div class="stack">
        {hasTraces && (
          <ExpiredBy
            key={node.id}
            peer={node.id}
            fate={node.state}
            isMember={node.silentMs !== undefined}
            view={view}
          />
        )}
        <section class="card">
          <h2>Links</h2>
          <NodeLinks node={node} view={view} />
        </section>
        {hasTraces && <LastMinute key={node.id} node={node} />}
      </div>
    </div>
  )
}

/** A node that the view no longer lists; only its expiries remain. */
function RemovedNode({ view, nameOrId }: { readonly view: MeshView; readonly nameOrId: string }) {
  const self = view.nodes.find(({ id }) => id === view.self)
  return (
    <div class="stack">
      <section class="card">
        <h2>
          <code class="id">{nameOrId}</code> <Copy text={nameOrId} what="name" />
        </h2>
        <p>
          There is no such node here, or it has left. <a href={hrefOf('nodes')}>All nodes</a>
        </p>
        {self !== undefined && (
          <p>This page shows {meshesOf(self)} only; use an observer of the other mesh for its nodes.</p>
        )}
      </section>
      {view.traces && <ExpiredBy key={nameOrId} peer={nameOrId} fate="removed" isMember={false} view={view} />}
    </div>
  )
}

/** The node's own digest, and what the lab knows about its process. */
function Digest({ node, view }: { readonly node: ViewNode; readonly view: MeshView }) {
  const { counts } = node
  const isAlive = node.state === 'running' || node.state === 'paused'
  const facts: readonly (readonly [string, preact.ComponentChild])[] = [
    [
      'Peer id',
      <>
        <code class="id">{node.id}</code> <Copy text={node.id} what="peer id" />
      </>,
    ],
    ['Meshes', node.meshes.join(', ')],
    ['Incarnation', node.incarnation],
    ['Addresses', node.addresses.length > 0 && <Lines lines={node.addresses} />],
    ['Topics', node.topics.join(', ')],
    ['Links it reports', node.links.length > 0 && <Ids ids={node.links} view={view} />],
    ['Silent for', node.silentMs === undefined ? undefined : duration(node.silentMs)],
    ['Members it sees', counts.members],
    ['Retries', counts.retries],
    ['Prunes', counts.prunes],
    ['Expired by it', counts.expired],
    ['Memory', node.rssMb === undefined || !isAlive ? undefined : `${Math.round(node.rssMb)} MiB resident`],
    ['CPU', node.cpuMsPerS === undefined || !isAlive ? undefined : `${node.cpuMsPerS.toFixed(1)} ms per second`],
    ['Process', isAlive ? node.pid : undefined],
  ]
  return (
    <dl class="facts">
      {facts
        .filter(([, value]) => value !== undefined && value !== '' && value !== false)
        .map(([what, value]) => (
          <div key={what}>
            <dt>{what}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}

function Lines({ lines }: { readonly lines: readonly string[] }) {
  return (
    <>
      {lines.map((line) => (
        <code key={line} class="line">
          {line}
        </code>
      ))}
    </>
  )
}

function Ids({ ids, view }: { readonly ids: readonly string[]; readonly view: MeshView }) {
  return (
    <span class="chips">
      {ids.map((id) => (
        <NodeById key={id} view={view} id={id} />
      ))}
    </span>
  )
}
