import type { GuardOptions } from '../admin/guarded-app.ts'
import { type Listener, listenHttp } from '../admin/listener.ts'
import type { Owner } from '../core/owner.ts'
import { maxSeconds } from './profile-request.ts'

export interface PprofOptions extends GuardOptions {
  /** `host:port`; port 0 picks a free one. */
  readonly listen: string
  /** Owns a running profile. */
  readonly owner: Owner
}

/** Time to encode and send a profile, in milliseconds. Guess. */
const transferMs = 15_000

/** Serves profiles of this process. Throws the errors of `listenHttp`. */
export function startPprof({ listen, owner, token, onError }: PprofOptions): Promise<Listener> {
  const app = async () => {
    const { pprofApp } = await import('./app.ts')
    return pprofApp({ token, onError: onError, owner })
  }
  const socketTimeoutMs = maxSeconds * 1_000 + transferMs
  return listenHttp({ key: 'MESH_PPROF (--pprof)', listen, token, onError, app, socketTimeoutMs })
}
