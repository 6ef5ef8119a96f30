import { useState } from 'preact/hooks'
import { errorMessage, requestJson } from './api.ts'

export type NodeAction = 'kill' | 'stop' | 'pause' | 'resume' | 'start' | 'start?identity=fresh'

export interface Control {
  readonly busy: boolean
  /** Result of the last action, as text. */
  readonly status: string
  /** Never rejects; resolves with whether the action succeeded. */
  run(what: string, path: string, body?: object): Promise<boolean>
}

/** Runs one action at a time and keeps its result as text. */
export function useControl(): Control {
  const [state, setState] = useState({ busy: false, status: '' })
  const run = async (what: string, path: string, body?: object) => {
    setState({ busy: true, status: `${what} …` })
    const init =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
    const [isOk, outcome] = await requestJson(path, { method: 'POST', ...init }).then(
      () => [true, 'done'] as const,
      (error: unknown) => [false, errorMessage(error)] as const,
    )
    setState({ busy: false, status: `${what}: ${outcome}` })
    return isOk
  }
  return { ...state, run }
}
