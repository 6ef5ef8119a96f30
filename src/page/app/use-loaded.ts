import { useEffect, useState } from 'preact/hooks'
import { errorMessage } from './api.ts'

export interface Loaded<T> {
  readonly value: T | undefined
  readonly problem: string | undefined
  readonly loading: boolean
}

/**
 * What `load` answers, asked again whenever `key` changes, and after `again` milliseconds, which is asked after each
 * answer (of undefined after a failure) and may say undefined: not again. The key stands for all that both depend on.
 *
 * While nobody sees the page nothing is asked; what was due by then is asked once it is seen. An answer to an earlier
 * question is dropped, and `stale` tells a long one so; the last value stays until another comes. Without a key nothing
 * is asked.
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
