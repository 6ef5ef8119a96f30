import { useState } from 'preact/hooks'
import { errorMessage, requestJson } from './api.ts'

export type NodeAction = 'kill' | 'stop' | 'pause' | 'resume' | 'start' | 'start?identity=fresh'

export interface Control {
  readonly busy: boolean
  /** What the last deed led to, in words. */
  readonly status: string
  /** Resolves, whatever becomes of it, with whether it was done. */
  run(what: string, path: string, body?: object): Promise<boolean>
}

/** Does one thing at a time, and says what became of it. */
export function useControl(): Control {
  const [state, setState] = useState({ busy: false, status: '' })
  const run = async (what: string, path: string, body?: object) => {
    setState({ busy: true, status: `${what} …` })
    const init =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
    const [isDone, outcome] = await requestJson(path, { method: 'POST', ...init }).then(
      () => [true, 'done'] as const,
      (error: unknown) => [false, errorMessage(error)] as const,
    )
    setState({ busy: false, status: `${what}: ${outcome}` })
    return isDone
  }
  return { ...state, run }
}
