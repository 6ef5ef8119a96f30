import { useState } from 'preact/hooks'
import { askJson, reason } from './ask.ts'

export type Deed = 'kill' | 'stop' | 'pause' | 'resume' | 'start' | 'start?identity=fresh'

export interface Control {
  readonly busy: boolean
  /** What the last deed led to, in words. */
  readonly said: string
  run(what: string, path: string, body?: object): Promise<void>
}

/** Does one thing at a time, and says what became of it. */
export function useControl(): Control {
  const [state, setState] = useState({ busy: false, said: '' })
  const run = async (what: string, path: string, body?: object) => {
    setState({ busy: true, said: `${what} …` })
    const sent =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
    const said = await askJson(path, { method: 'POST', ...sent }).then(
      () => `${what}: done`,
      (error: unknown) => `${what}: ${reason(error)}`,
    )
    setState({ busy: false, said })
  }
  return { ...state, run }
}
