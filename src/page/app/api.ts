import { useEffect, useState } from 'preact/hooks'
import { TraceReader } from '../../traces/reader.ts'
import type { MeshView } from '../mesh-view.ts'
import { type KeyedView, type MeshUpdate, plainView } from '../model/keyed-view.ts'
import { applyPatch } from '../model/merge-patch.ts'
import { meshTrouble, storeTrouble, type Trouble, UnansweredError } from '../model/trouble.ts'

const timeoutMs = 10_000
const tokenKey = 'tracemesh.token'

/** The server requires a token and received none, or a wrong one. */
class TokenRequiredError extends Error {}

/** Stores a token until this tab is closed. Returns the problem if the text cannot be a token. */
export function storeToken(token: string): string | undefined {
  if (!/^[!-~]+$/.test(token)) return 'A token has printable ASCII characters only, and no spaces.'
  sessionStorage.setItem(tokenKey, token)
  return undefined
}

/** `fetch` with the stored token, if there is one. */
const authorizedFetch: typeof fetch = async (input, init) => {
  const token = sessionStorage.getItem(tokenKey)
  const headers = new Headers(init?.headers)
  if (token !== null) headers.set('authorization', `Bearer ${token}`)
  const response = await fetch(input, { signal: AbortSignal.timeout(timeoutMs), ...init, headers }).catch(
    (error: unknown) => {
      throw new UnansweredError(error instanceof Error ? error.message : String(error), { cause: error })
    },
  )
  if (response.status === 401)
    throw new TokenRequiredError(token === null ? 'this server requires a token' : 'the server rejected this token')
  return response
}

/** Throws the error message of the server. */
export async function requestJson<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await authorizedFetch(path, init)
  const body: unknown = await response.json().catch(() => undefined)
  if (!response.ok) throw new Error(bodyMessage(body) ?? `${path} returned HTTP status ${response.status}`)
  return body as T
}

export const reader = new TraceReader(location.origin, { fetch: authorizedFetch })

function bodyMessage(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null || !('message' in body)) return undefined
  return typeof body.message === 'string' ? body.message : undefined
}

interface Loaded<T> {
  readonly value: T | undefined
  readonly problem: Trouble | undefined
  readonly loading: boolean
}

/**
 * The result of `load`. Loads again whenever `key` changes, and `pollMs(result)` milliseconds after each result
 * (undefined after a failure); when `pollMs` returns undefined, polling ends, unless the server or the store may answer
 * later. The key stands for all that both depend on.
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
      const delayMs = pollMs(value) ?? (problem?.retries ? retryMs : undefined)
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

/** Interval of questions to a store that does not answer. */
const retryMs = 5_000
const emptyState = { key: undefined, value: undefined, problem: undefined, loading: false }

async function resultOf<T>(
  promise: Promise<T>,
): Promise<{ readonly value: T | undefined; readonly problem?: Trouble }> {
  try {
    return { value: await promise }
  } catch (error) {
    return { value: undefined, problem: storeTrouble(error) }
  }
}

const pollMs = 1_000

/** The last view of the mesh, and why it could not be updated. */
interface MeshState {
  readonly view: MeshView | undefined
  readonly problem: Trouble | undefined
  readonly isTokenRequired: boolean
}

/** Polls once a second while the page is visible, one request at a time. */
export function useMesh(): MeshState {
  const [state, setState] = useState<MeshState>({ view: undefined, problem: undefined, isTokenRequired: false })
  useEffect(() => {
    let timer: number | undefined
    let isPolling = false
    let isDisposed = false
    let revision = ''
    let keyed: KeyedView | undefined
    const poll = async () => {
      if (isPolling || document.hidden) return
      isPolling = true
      window.clearTimeout(timer)
      try {
        const update = await requestJson<MeshUpdate>(`/api/mesh?since=${revision}`)
        revision = update.revision
        keyed = 'view' in update ? update.view : (applyPatch(keyed, update.patch) as KeyedView)
        const view = plainView(keyed)
        if (!isDisposed) setState({ view, problem: undefined, isTokenRequired: false })
      } catch (error) {
        const isTokenRequired = error instanceof TokenRequiredError
        const problemOf = (view: MeshView | undefined) =>
          isTokenRequired ? { text: error.message } : meshTrouble(error, view)
        if (!isDisposed) setState(({ view }) => ({ view, problem: problemOf(view), isTokenRequired }))
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
