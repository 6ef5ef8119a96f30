import type { MeshView, ViewLink, ViewNode } from '../../page/mesh-view.ts'

const roles = ['seed', 'seed', 'gateway', 'broker', 'compute', 'compute', 'compute', 'registry']

/** A sample mesh for tests of the page: two meshes of `perMesh` nodes, two bridges, and a guest. */
export function pageMesh(perMesh: number, changes: Partial<MeshView> = {}): MeshView {
  const [a, b] = ['mesh-a', 'mesh-b'].map((mesh) =>
    Array.from({ length: perMesh }, (_, index) => nodeOf(`${roles[index % 8]}-${mesh.slice(-1)}${index + 1}`, [mesh])),
  )
  const bridges = ['bridge-1', 'bridge-2'].map((name) => nodeOf(name, ['mesh-a', 'mesh-b']))
  const guest: ViewNode = {
    ...nodeOf('', [], 'guest'),
    id: '12D3KooWGuest00000000000000000000000000000000guest',
    state: 'guest',
  }
  const nodes = [...(a ?? []), ...(b ?? []), ...bridges, guest]
  const links = [...ring(a ?? [], bridges), ...ring(b ?? [], bridges), linkOf(guest, nodes[0] ?? guest, 'guest')]
  return {
    atMs: Date.now(),
    from: 'lab',
    title: 'lab, seed 7',
    nodes,
    links,
    boot: nodes.flatMap(({ name }, index) => (name === '' ? [] : bootOf(name, index))),
    spans: nodes.slice(0, 12).map(({ name }, index) => ({
      atMs: Date.now() - 1_000 * (12 - index),
      node: name,
      span: index % 3 === 0 ? 'mesh.seed.retry' : 'mesh.member.joined',
      detail: index % 3 === 0 ? 'address=/ip4/127.0.0.1/udp/54403/quic-v1 attempt=1 delay_ms=704' : 'name=seed-a1',
      trace: `${index}`.padStart(32, 'a'),
    })),
    messages: [{ atMs: Date.now(), node: 'compute-a5', text: 'news from compute-a5' }],
    traces: true,
    ...changes,
  }
}

/** A peer id of real length that ends with the name. */
export function pagePeer(name: string): string {
  return `12D3KooW${name.replace('-', '').padStart(44, 'x')}`
}

function nodeOf(name: string, meshes: readonly string[], role = name.replace(/-.*/, '')): ViewNode {
  return {
    id: pagePeer(name),
    name,
    role,
    meshes,
    state: 'running',
    incarnation: 1,
    addresses: name === '' ? [] : ['/ip4/127.0.0.1/udp/40001/quic-v1'],
    topics: name === '' ? [] : ['news'],
    links: [],
    silentMs: 400,
    counts: { members: 9, links: 8, retries: role === 'broker' ? 4 : 0, prunes: 12, expired: 0 },
    rssMb: 84 + name.length,
    cpuMsPerS: 3.4,
    pid: 4_000 + name.length,
    controllable: name !== '',
  }
}

function linkOf(one: ViewNode, other: ViewNode, kind: ViewLink['kind'] = 'member'): ViewLink {
  const [a = '', b = ''] = [one.id, other.id].sort()
  const trace = 'c'.repeat(32)
  return { a, b, id: `${a.slice(-6)}.1.1`, transport: 'quic', kind, ends: kind === 'member' ? 2 : 1, trace }
}

/** Links each node to the next three, and to one bridge. */
function ring(nodes: readonly ViewNode[], bridges: readonly ViewNode[]): ViewLink[] {
  return nodes.flatMap((node, index) => {
    const next = [1, 2, 3].flatMap((step) => nodes[(index + step) % nodes.length] ?? [])
    return [...next, ...bridges.slice(index % 2, (index % 2) + 1)].map((other) => linkOf(node, other))
  })
}

function bootOf(node: string, index: number): MeshView['boot'] {
  const atMs = 300 * index
  return [
    { node, what: 'started', atMs },
    { node, what: 'listening', atMs: atMs + 420 },
    { node, what: 'first link', atMs: atMs + 700 },
    { node, what: 'all members', atMs: atMs + 1_900 },
  ]
}
