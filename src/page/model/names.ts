import type { MeshView, ViewNode } from '../mesh-view.ts'

/** Names that identify exactly one node. None on an observer: members there choose their own names. */
export function uniqueNames({ from, nodes }: Pick<MeshView, 'from' | 'nodes'>): ReadonlySet<string> {
  if (from === 'observer') return new Set()
  const byName = Map.groupBy(nodes, ({ name }) => name)
  return new Set([...byName].flatMap(([name, all]) => (name !== '' && all.length === 1 ? [name] : [])))
}

/** Finds a node by id or name. The id wins: a peer may use the id of another as its name. */
export function findNode({ nodes }: Pick<MeshView, 'nodes'>, key: string): ViewNode | undefined {
  return nodes.find(({ id }) => id === key) ?? nodes.find(({ name }) => name === key)
}

/** Matches peer ids of Ed25519, secp256k1 and RSA keys, in base58. */
export function isPeerId(text: string): boolean {
  return /^(?:12D3KooW|16Uiu2HA|Qm)[1-9A-HJ-NP-Za-km-z]{40,48}$/.test(text)
}
