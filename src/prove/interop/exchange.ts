import { setTimeout as sleep } from 'node:timers/promises'
import type { InteropPeer } from './interop-peer.ts'

const publishMs = 200

export interface Exchange {
  /** Milliseconds until every peer had received a message of every other; NaN if that did not happen. */
  readonly ms: number
  /** `from > to`, the pairs without a message. */
  readonly missing: readonly string[]
}

let count = 0

/**
 * All peers publish five small messages a second until each has one of each other that was published from now on.
 * `meanwhile` runs before each round.
 */
export async function exchange(
  peers: readonly InteropPeer[],
  limitMs: number,
  meanwhile: () => void = () => {},
): Promise<Exchange> {
  const mark = `exchange ${++count}`
  const missing = new Set(peers.flatMap((from) => peers.filter((to) => to !== from).map((to) => pairOf(from, to))))
  const from = performance.now()
  for (let round = 0; performance.now() - from < limitMs; round++) {
    meanwhile()
    for (const one of peers) one.publish(`${mark} of ${one.name}: ${round}`)
    await sleep(publishMs)
    for (const to of peers) {
      for (const one of peers) {
        const pair = pairOf(one, to)
        if (missing.has(pair) && hasReceived(to, one.peer, mark)) missing.delete(pair)
      }
    }
    if (missing.size === 0) return { ms: Math.round(performance.now() - from), missing: [] }
  }
  return { ms: Number.NaN, missing: [...missing] }
}

function pairOf(from: InteropPeer, to: InteropPeer): string {
  return `${from.name} > ${to.name}`
}

function hasReceived({ messages }: InteropPeer, from: string, mark: string): boolean {
  return messages.some((message) => message.from === from && message.text.startsWith(`${mark} `))
}

/** How many messages two or more peers have, and those of them with different ids. Large ones have all the same text. */
export function compareIds(peers: readonly InteropPeer[]): { readonly shared: number; readonly different: string[] } {
  const all = peers
    .flatMap(({ messages, published }) => [...messages, ...published])
    .filter(({ text, bytes }) => text.length === bytes)
  const byText = [...Map.groupBy(all, ({ text }) => text)].filter(([, copies]) => copies.length > 1)
  const different = byText.filter(([, copies]) => new Set(copies.map(({ id }) => id)).size > 1)
  return {
    shared: byText.length,
    different: different.map(([text, copies]) => `${text}: ${copies.map(({ id }) => id)}`),
  }
}

/** The lowest score that any of these gave to a peer at any time. */
export async function worstScore(peers: readonly InteropPeer[]): Promise<number> {
  const scores = await Promise.all(peers.map((one) => one.worstScores()))
  return Math.min(...scores.flatMap((one) => Object.values(one)))
}
