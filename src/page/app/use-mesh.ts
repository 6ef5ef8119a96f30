import { useEffect, useState } from 'preact/hooks'
import type { MeshView } from '../mesh-view.ts'
import { errorMessage, requestJson, TokenRequiredError } from './api.ts'

const pollMs = 1_000

/** The last view of the mesh, and why it could not be updated. */
export interface MeshState {
  readonly view: MeshView | undefined
  readonly problem: string | undefined
  readonly isTokenRequired: boolean
}

/** Polls once a second while the page is visible, one request at a time. */
export function useMesh(): MeshState {
  const [state, setState] = useState<MeshState>({ view: undefined, problem: undefined, isTokenRequired: false })
  useEffect(() => {
    let timer: number | undefined
    let isPolling = false
    let isDisposed = false
    const poll = async () => {
      if (isPolling || document.hidden) return
      isPolling = true
      window.clearTimeout(timer)
      try {
        const view = await requestJson<MeshView>('/api/mesh')
        if (!isDisposed) setState({ view, problem: undefined, isTokenRequired: false })
      } catch (error) {
        const failure = { problem: errorMessage(error), isTokenRequired: error instanceof TokenRequiredError }
        if (!isDisposed) setState(({ view }) => ({ view, ...failure }))
      }
      isPolling = false
      if (!isDisposed && !document.hidden) timer = window.setTimeout(poll, pollMs)
    }
    const onVisibilityChange = () => (document.hidden ? window.clearTimeout(timer) : void poll())
    document.addEventListener('visibilitychange', onVisibilityChange)
    void poll()
    return () => {
      isDisposed = true
      window.clearTimeout(timer)
      document.removeEventListener('visibilitychange', onVisibilityChange)
    }
  }, [])
  return state
}
