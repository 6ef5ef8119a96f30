import { useEffect, useState } from 'preact/hooks'
import { errorMessage } from './api.ts'

export interface Loaded<T> {
  readonly value: T | undefined
  readonly problem: string | undefined
  readonly loading: boolean
}

/**
 * The result of `load`. Loads again whenever `key` changes, and `pollMs(result)` milliseconds after each result
 * (undefined after a failure); when `pollMs` returns undefined, polling ends. The key stands for all that both depend
 * on.
 *
 * A hidden page does not load; a load that came due meanwhile runs once the page is visible. The hook drops results of
 * an earlier key, and a long load can check `isStale`; the last value stays until the next one. Without a key it loads
 * nothing.
 */
export function useLoaded<T>(
  key: string | undefined,
  load: (isStale: () => boolean) => Promise<T>,
  pollMs: (value: T | undefined) => number | undefined = () => undefined,
): Loaded<T> {
  const [loadState, setState] = useState<Loaded<T> & { readonly key: string | undefined }>(emptyState)
  useEffect(() => {
    if (key === undefined) return setState(emptyState)
    let isDisposed = false
    let isDue = true
    let timer: number | undefined
    const poll = async () => {
      if (!isDue || document.hidden) return
      isDue = false
      const { value, problem } = await resultOf(load(() => isDisposed))
      if (isDisposed) return
      setState((before) => ({ key, value: problem === undefined ? value : before.value, problem, loading: false }))
      const delayMs = pollMs(value)
      if (delayMs === undefined) return
      timer = window.setTimeout(() => {
        isDue = true
        void poll()
      }, delayMs)
    }
    const onVisibilityChange = () => void poll()
    setState((before) => ({ ...(before.key === key ? before : emptyState), key, loading: true }))
    document.addEventListener('visibilitychange', onVisibilityChange)
    onVisibilityChange()
    return () => {
      isDisposed = true
      window.clearTimeout(timer)
      document.removeEventListener('visibilitychange', onVisibilityChange)
    }
  }, [key])
  return loadState.key === key ? loadState : { value: undefined, problem: undefined, loading: key !== undefined }
}

const emptyState = { key: undefined, value: undefined, problem: undefined, loading: false }

async function resultOf<T>(promise: Promise<T>): Promise<{ readonly value: T | undefined; readonly problem?: string }> {
  try {
    return { value: await promise }
  } catch (error) {
    return { value: undefined, problem: errorMessage(error) }
  }
}
