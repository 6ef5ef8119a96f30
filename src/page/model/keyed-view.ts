import type { MeshView } from '../mesh-view.ts'
import { contentKeys } from './keys.ts'
import type { MergePatch } from './merge-patch.ts'

type ListName = 'nodes' | 'links' | 'boot' | 'spans' | 'messages'

/** A view with its lists by key, so that a change of it names what changed. */
export type KeyedView = Omit<MeshView, ListName> & {
  readonly [K in ListName]: Readonly<Record<string, MeshView[K][number]>>
}

/** All of a view, or its change since the revision that the page has. */
export type MeshUpdate =
  | { readonly revision: string; readonly view: KeyedView }
  | { readonly revision: string; readonly patch: MergePatch }

export function keyedView({ nodes, links, boot, spans, messages, ...rest }: MeshView): KeyedView {
  return {
    ...rest,
    nodes: byKey(nodes, ({ id }) => id),
    links: byKey(links, ({ a, b, id }) => `${a} ${b} ${id}`),
    boot: byKey(boot, ({ node, what }) => `${node} ${what}`),
    spans: byKey(spans, ({ atMs, node, span, detail, trace }) => `${atMs} ${node} ${span} ${detail} ${trace}`),
    messages: byKey(messages, ({ atMs, node, text }) => `${atMs} ${node} ${text}`),
  }
}

/** Its lists again; what came last is last. */
export function plainView({ nodes, links, boot, spans, messages, ...rest }: KeyedView): MeshView {
  return {
    ...rest,
    nodes: Object.values(nodes),
    links: Object.values(links),
    boot: Object.values(boot),
    spans: Object.values(spans),
    messages: Object.values(messages),
  }
}

/** `contentKeys` ends each key with a number, so that none is an integer, which would move to the front. */
function byKey<T>(rows: readonly T[], keyOf: (row: T) => string): Readonly<Record<string, T>> {
  const keys = contentKeys(rows, keyOf)
  return Object.fromEntries(rows.map((row, index) => [keys[index] ?? '', row]))
}
