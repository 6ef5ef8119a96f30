import { useEffect, useState } from 'preact/hooks'
import { reason } from './ask.ts'

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
  load: (stale: () => boolean) => Promise<T>,
  again: (value: T | undefined) => number | undefined = () => undefined,
): Loaded<T> {
  const [state, setState] = useState<Loaded<T> & { readonly key: string | undefined }>(nothing)
  useEffect(() => {
    if (key === undefined) return setState(nothing)
    let ended = false
    let due = true
    let timer: number | undefined
    const look = async () => {
      if (!due || document.hidden) return
      due = false
      const { value, problem } = await answerOf(load(() => ended))
      if (ended) return
      setState((before) => ({ key, value: problem === undefined ? value : before.value, problem, loading: false }))
      const waitMs = again(value)
      if (waitMs === undefined) return
      timer = window.setTimeout(() => {
        due = true
        void look()
      }, waitMs)
    }
    const seen = () => void look()
    setState((before) => ({ ...(before.key === key ? before : nothing), key, loading: true }))
    document.addEventListener('visibilitychange', seen)
    seen()
    return () => {
      ended = true
      window.clearTimeout(timer)
      document.removeEventListener('visibilitychange', seen)
    }
  }, [key])
  return state.key === key ? state : { value: undefined, problem: undefined, loading: key !== undefined }
}

const nothing = { key: undefined, value: undefined, problem: undefined, loading: false }

async function answerOf<T>(asked: Promise<T>): Promise<{ readonly value: T | undefined; readonly problem?: string }> {
  try {
    return { value: await asked }
  } catch (error) {
    return { value: undefined, problem: reason(error) }
  }
}
