import { type AdminAppOptions, adminApp } from './app.ts'
import { type Listener, listenHttp } from './listener.ts'

export interface AdminOptions extends AdminAppOptions {
  /** `host:port`; port 0 picks a free one. */
  readonly listen: string
}

/** Serves the HTTP API. Throws like `listenHttp`. */
export function startAdmin({ listen, ...options }: AdminOptions): Promise<Listener> {
  const { token, onError } = options
  return listenHttp({ key: 'MESH_ADMIN (--admin)', listen, token, onError, app: () => adminApp(options) })
}
