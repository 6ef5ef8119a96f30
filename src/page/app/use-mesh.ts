import { useEffect, useState } from 'preact/hooks'
import type { MeshView } from '../mesh-view.ts'
import { askJson, reason, TokenNeeded } from './ask.ts'

const everyMs = 1_000

/** The mesh as it was last told, and what is wrong with the telling. */
export interface Watched {
  readonly view: MeshView | undefined
  readonly problem: string | undefined
  readonly tokenNeeded: boolean
}

/** Asks once a second, and not at all while nobody sees the page. One question at a time, however slow the answer. */
export function useMesh(): Watched {
  const [watched, setWatched] = useState<Watched>({ view: undefined, problem: undefined, tokenNeeded: false })
  useEffect(() => {
    let timer: number | undefined
    let asking = false
    let ended = false
    const look = async () => {
      if (asking || document.hidden) return
      asking = true
      window.clearTimeout(timer)
      try {
        const view = await askJson<MeshView>('/api/mesh')
        if (!ended) setWatched({ view, problem: undefined, tokenNeeded: false })
      } catch (error) {
        const failed = { problem: reason(error), tokenNeeded: error instanceof TokenNeeded }
        if (!ended) setWatched(({ view }) => ({ view, ...failed }))
      }
      asking = false
      if (!ended && !document.hidden) timer = window.setTimeout(look, everyMs)
    }
    const shown = () => (document.hidden ? window.clearTimeout(timer) : void look())
    document.addEventListener('visibilitychange', shown)
    void look()
    return () => {
      ended = true
      window.clearTimeout(timer)
      document.removeEventListener('visibilitychange', shown)
    }
  }, [])
  return watched
}
