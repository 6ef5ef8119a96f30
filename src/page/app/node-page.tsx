import type { Inventory as NodeInventory } from '../../core/owner.ts'
import type { FindResult } from '../../traces/reader.ts'
import type { Trace } from '../../traces/trace.ts'
import type { MeshView, ViewLink, ViewNode } from '../mesh-view.ts'
import { findNode } from '../model/mesh.ts'
import { attributesText, clock, duration, hrefOf, plural } from '../model/text.ts'
import { reader, requestJson, useLoaded } from './api.ts'
import { NodeControls } from './controls.tsx'
import { ExpiredBy } from './expired-by.tsx'
import { type Column, Copy, meshesOf, NodeById, Partial, Problem, Role, State, Table, TraceLink } from './parts.tsx'

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

/** A node that the view does not list: only its expiries, and links that others report, are known. */
function RemovedNode({ view, nameOrId }: { readonly view: MeshView; readonly nameOrId: string }) {
  const self = view.nodes.find(({ id }) => id === view.self)
  const count = view.links.filter(({ a, b }) => a === nameOrId || b === nameOrId).length
  return (
    <div class="stack">
      <section class="card">
        <h2>
          <code class="id">{nameOrId}</code> <State state="unknown" /> <Copy text={nameOrId} what="name" />
        </h2>
        <p>
          {count === 0
            ? 'This page does not know such a node: it has left, or there never was one.'
            : `This page knows nothing of this node but ${plural(count, 'link')} to it, which others report.`}{' '}
          <a href={hrefOf('nodes')}>All nodes</a>
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

/** Current links of a node, each with the trace in which it opened. */
function NodeLinks({ node, view }: { readonly node: ViewNode; readonly view: MeshView }) {
  const links = view.links.filter(({ a, b }) => a === node.id || b === node.id)
  if (links.length === 0) return <p class="quiet">No links.</p>
  const columns: readonly Column<ViewLink>[] = [
    { title: 'Other end', cell: ({ a, b }) => <NodeById view={view} id={a === node.id ? b : a} /> },
    { title: 'Kind', cell: ({ kind }) => kind },
    { title: 'Transport', cell: ({ transport }) => transport },
    { title: 'Reported by', cell: ({ ends }) => (ends === 2 ? 'both ends' : 'one end'), wide: true },
    { title: 'Opened', cell: ({ trace }) => trace !== undefined && view.traces && <TraceLink id={trace} /> },
  ]
  const caption = `Links of ${node.name || node.id}`
  const keyOf = ({ a, b, id }: ViewLink) => `${a} ${b} ${id}`
  return <Table caption={caption} isCaptionHidden columns={columns} rows={links} keyOf={keyOf} />
}

const lookbackMs = 5 * 60_000
/** More than a node can begin in that time without a restart. */
const maxWindows = 10
const windowsPollMs = 10_000

/** The latest windows of a node, one trace each. Searches by peer id, since nodes may share a name. */
function LastMinute({ node }: { readonly node: ViewNode }) {
  const service = node.meshes[0]
  const attributes = { 'mesh.peer.self': node.id }
  const { value, problem, loading } = useLoaded(
    service === undefined ? undefined : `${service} ${node.id}`,
    () => findWindows(service ?? '', attributes),
    () => windowsPollMs,
  )
  const search = { service: service ?? '', attributes: attributesText(attributes) }
  return (
    <section class="card" aria-labelledby="minutes">
      <h2 id="minutes">Last minutes</h2>
      <Problem text={problem} />
      {value === undefined && loading && <p class="quiet">Searching …</p>}
      {value?.traces.length === 0 && (
        <p class="quiet">The store has no spans of this node from the last five minutes.</p>
      )}
      <ul class="windows">
        {value?.traces.map((trace) => (
          <li key={trace.traceId}>
            <TraceLink id={trace.traceId}>{clock(trace.spans[0]?.startMs ?? 0)}</TraceLink>{' '}
            <small>{plural(trace.spans.length, 'span')}</small>
            <SpanCounts trace={trace} />
          </li>
        ))}
      </ul>
      <Partial text={value?.partial} />
      <a href={hrefOf('traces', undefined, search)}>All traces of this node</a>
    </section>
  )
}

/** Counts of spans by name, most frequent first. */
function SpanCounts({ trace }: { readonly trace: Trace }) {
  const counts = [...Map.groupBy(trace.spans, ({ name }) => name)].sort(([, a], [, b]) => b.length - a.length)
  return (
    <span class="chips">
      {counts.slice(0, 8).map(([name, spans]) => (
        <code key={name}>
          {name.replace(/^mesh\./, '')} ×{spans.length}
        </code>
      ))}
    </span>
  )
}

/** Newest first. Windows are routine spans: where sampling dropped all of them, the census identifies the trace. */
async function findWindows(service: string, attributes: Readonly<Record<string, string>>): Promise<FindResult> {
  const toMs = Date.now() + 5_000
  const query = { service, fromMs: toMs - lookbackMs, toMs, attributes, limit: maxWindows }
  const windows = await reader.find({ ...query, span: 'mesh.window' })
  const { traces, partial } = windows.traces.length > 0 ? windows : await reader.find({ ...query, span: 'mesh.audit' })
  return { traces: [...traces].sort((a, b) => (b.spans[0]?.startMs ?? 0) - (a.spans[0]?.startMs ?? 0)), partial }
}

const inventoryPollMs = 5_000

/** Live inventory of a node: its registries and their bounds, its timers and other resources. */
function Inventory({ path }: { readonly path: string }) {
  const { value, problem, loading } = useLoaded(
    path,
    () => requestJson<NodeInventory | undefined>(path),
    () => inventoryPollMs,
  )
  const isUnanswered = value === undefined && problem === undefined && !loading
  return (
    <section class="card" aria-labelledby="inventory">
      <h2 id="inventory">Inventory</h2>
      <Problem text={problem} />
      {isUnanswered && <p class="quiet">The node does not answer.</p>}
      {value !== undefined && <Registries inventory={value} />}
    </section>
  )
}

const registryColumns: readonly Column<NodeInventory['registries'][number]>[] = [
  { title: 'Registry', cell: ({ name, owner }) => <span title={owner}>{name}</span> },
  { title: 'Size', cell: ({ size }) => size, number: true },
  { title: 'Capacity', cell: ({ capacity }) => capacity, number: true },
  { title: 'High', cell: ({ highWaterMark }) => highWaterMark, number: true, wide: true },
  { title: 'Added', cell: ({ added }) => added, number: true, wide: true },
  { title: 'Oldest', cell: ({ size, oldestMs }) => (size === 0 ? '' : duration(oldestMs)), number: true },
]

function Registries({ inventory }: { readonly inventory: NodeInventory }) {
  const timers = inventory.resources.filter(({ kind }) => kind === 'timer').map(({ name }) => name)
  const others = inventory.resources.filter(({ kind }) => kind === 'resource').map(({ name }) => name)
  return (
    <>
      <Table
        caption="Registries"
        isCaptionHidden
        columns={registryColumns}
        rows={inventory.registries}
        keyOf={({ owner, name }) => `${owner} ${name}`}
      />
      <p class="quiet">
        {plural(timers.length, 'timer')}
        {timers.length > 0 && `: ${countByName(timers)}`}; {plural(others.length, 'other resource')}
        {others.length > 0 && `: ${countByName(others)}`}
      </p>
    </>
  )
}

function countByName(names: readonly string[]): string {
  const groups = Map.groupBy(names, (name) => name)
  return [...groups].map(([name, all]) => (all.length === 1 ? name : `${name} ×${all.length}`)).join(', ')
}
