import type { TraceSpan } from '../../traces/trace.ts'
import { BoundedMap } from './bounded-map.ts'
import { type Instance, type Witness, witnessOf } from './instance.ts'

/** Open links of a mesh of a thousand nodes with ten neighbours each, and those of which one end is late. */
const maxLinks = 20_000

/** One end of a link, by the `key` of its process. */
export interface LinkEnd {
  readonly instance: string
  opened?: Witness
  closed?: Witness
}

/** A link that both ends, or one of them, have opened and not both have closed. */
export interface LinkRecord {
  readonly id: string
  readonly ends: LinkEnd[]
}

/** The links of all nodes, by the id that both ends know. A link that both ends have closed is only counted. */
export class LinkTable {
  readonly #links = new BoundedMap<string, LinkRecord>(maxLinks)
  #completed = 0

  /** Links that both ends have closed. */
  get completed(): number {
    return this.#completed
  }

  /** Links that found no room. */
  get omitted(): number {
    return this.#links.omitted
  }

  /** Links that an end has not closed. */
  open(): LinkRecord[] {
    return [...this.#links.values()]
  }

  /** Drops the links of which neither end is of a process that `isKnown`. */
  retain(isKnown: (instance: string) => boolean): void {
    for (const { id, ends } of this.open()) if (!ends.some(({ instance }) => isKnown(instance))) this.#links.delete(id)
  }

  add(instance: Instance, span: TraceSpan): void {
    const isOpened = span.name === 'mesh.hello.received'
    if (!isOpened && span.name !== 'mesh.connection.closed') return
    const id = span.attributes['mesh.link.id']
    if (typeof id !== 'string' || id === '') return
    const link = this.#links.getOrCreate(id, () => ({ id, ends: [] }))
    if (link === undefined) return
    let end = link.ends.find(({ instance: owner }) => owner === instance.key)
    if (end === undefined) {
      end = { instance: instance.key }
      link.ends.push(end)
    }
    if (isOpened) end.opened = witnessOf(span)
    else end.closed = witnessOf(span)
    if (link.ends.length === 2 && link.ends.every(({ closed }) => closed !== undefined)) {
      this.#links.delete(id)
      this.#completed++
    }
  }
}
