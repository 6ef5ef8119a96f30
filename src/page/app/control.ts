import { useState } from 'preact/hooks'
import { askJson, reason } from './ask.ts'

export type Deed = 'kill' | 'stop' | 'pause' | 'resume' | 'start' | 'start?identity=fresh'

export interface Control {
  readonly busy: boolean
  /** What the last deed led to, in words. */
  readonly said: string
  /** Resolves, whatever becomes of it, with whether it was done. */
  run(what: string, path: string, body?: object): Promise<boolean>
}

/** Does one thing at a time, and says what became of it. */
export function useControl(): Control {
  const [state, setState] = useState({ busy: false, said: '' })
  const run = async (what: string, path: string, body?: object) => {
    setState({ busy: true, said: `${what} …` })
    const sent =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
    const [done, came] = await askJson(path, { method: 'POST', ...sent }).then(
      () => [true, 'done'] as const,
      (error: unknown) => [false, reason(error)] as const,
    )
    setState({ busy: false, said: `${what}: ${came}` })
    return done
  }
  return { ...state, run }
}
