import { useEffect, useState } from 'preact/hooks'
import { reason } from './ask.ts'

export interface Loaded<T> {
  readonly value: T | undefined
  readonly problem: string | undefined
  readonly loading: boolean
}

/**
 * What `load` answers, asked again whenever `key` changes, and every `everyMs` while somebody looks. An answer to an
 * earlier question is dropped; the last value stays until another comes. Without a key nothing is asked.
 */
export function useLoaded<T>(key: string | undefined, load: () => Promise<T>, everyMs?: number): Loaded<T> {
  const [state, setState] = useState<Loaded<T> & { readonly key: string | undefined }>(nothing)
  // The key stands for all that the question depends on.
  useEffect(() => {
    if (key === undefined) return setState(nothing)
    let ended = false
    let timer: number | undefined
    const look = async () => {
      if (!document.hidden) {
        try {
          const value = await load()
          if (!ended) setState({ key, value, problem: undefined, loading: false })
        } catch (error) {
          if (!ended) setState(({ value }) => ({ key, value, problem: reason(error), loading: false }))
        }
      }
      if (!ended && everyMs !== undefined) timer = window.setTimeout(look, everyMs)
    }
    setState((before) => ({ ...(before.key === key ? before : nothing), key, loading: true }))
    void look()
    return () => {
      ended = true
      window.clearTimeout(timer)
    }
  }, [key, everyMs])
  return state.key === key ? state : { value: undefined, problem: undefined, loading: key !== undefined }
}

const nothing = { key: undefined, value: undefined, problem: undefined, loading: false }
