import type { Guarded } from '../admin/guarded-app.ts'
import { type Listener, listenHttp } from '../admin/listener.ts'
import type { Owner } from '../core/owner.ts'
import { longestS } from './profile-request.ts'

export interface PprofOptions extends Guarded {
  /** `host:port`; port 0 picks a free one. */
  readonly listen: string
  /** Holds a profile while it is taken. */
  readonly owner: Owner
}

/** For a profile to be written and read, in milliseconds, once it has been taken. Guess. */
const afterwardsMs = 15_000

/** Serves profiles of this process. Throws as `listenHttp` does. */
export function startPprof({ listen, owner, token, failed }: PprofOptions): Promise<Listener> {
  const app = async () => {
    const { pprofApp } = await import('./app.ts')
    return pprofApp({ token, failed, owner })
  }
  const silenceMs = longestS * 1_000 + afterwardsMs
  return listenHttp({ key: 'MESH_PPROF (--pprof)', listen, token, failed, app, silenceMs })
}
