import { type Tell, tell } from '../catalogue/tell.ts'
import { limits } from './limits.ts'

export type LimitName = keyof typeof limits

const apartMs = 1_000

/** Tells of bounds that were met, each at most once a second: what meets them may come by the thousand. */
export class LimitTells {
  #toldAt: { readonly [L in LimitName]?: number } = {}

  told(
    limit: LimitName,
    action: 'refused' | 'closed',
    now: number,
    peer?: string,
    value: number = limits[limit],
  ): Tell[] {
    if (now - (this.#toldAt[limit] ?? -Infinity) < apartMs) return []
    this.#toldAt = { ...this.#toldAt, [limit]: now }
    const bound = { 'mesh.limit.name': limit, 'mesh.limit.value': value, 'mesh.limit.action': action } as const
    return [tell('mesh.limit.reached', { ...bound, ...(peer !== undefined && { 'mesh.peer.id': peer }) })]
  }
}
