import { randomBytes } from 'node:crypto'
import type { MeshView } from './mesh-view.ts'
import { type KeyedView, keyedView, type MeshUpdate } from './model/keyed-view.ts'
import { type MergePatch, mergePatch } from './model/merge-patch.ts'

/** Views to compare with: as many tabs may follow the mesh, each with the view of its own last poll. Guess. */
const remembered = 16

/**
 * Sends a page what has changed in the view since its last poll. A lab of 18 nodes has some 70 kB, of which about 1 kB
 * changes in a second.
 */
export class MeshFeed {
  /** Of another process, so that a page does not take a change of another lab. */
  readonly #process = randomBytes(6).toString('base64url')
  /** By revision, the newest last. */
  #views: readonly (readonly [revision: string, view: KeyedView])[] = []
  #count = 0

  /** `since`: revision that the page has; any other text if it has none. */
  update(view: MeshView, since: string): MeshUpdate {
    const revision = `${this.#process}.${++this.#count}`
    const keyed = keyedView(view)
    const before = this.#views.find(([own]) => own === since)?.[1]
    const others = this.#views.filter(([own]) => own !== since)
    this.#views = [...others, [revision, keyed] as const].slice(-remembered)
    if (before === undefined) return { revision, view: keyed }
    return { revision, patch: (mergePatch(before, keyed) ?? {}) as MergePatch }
  }
}
