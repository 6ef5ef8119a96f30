import { MeshError } from '../core/errors.ts'
import { type AdminAppOptions, adminApp } from './app.ts'
import { isLoopback, parseHostPort } from './host-port.ts'

export interface AdminOptions extends AdminAppOptions {
  /** `host:port`; port 0 picks a free one. */
  readonly listen: string
}

export interface RunningAdmin {
  /** With the port in use, no slash at the end. */
  readonly url: string
  /** Ends the connections that are open, too. */
  close(): Promise<void>
}

const key = 'MESH_ADMIN (--admin)'

/**
 * Serves the HTTP API. Throws MESH_PORT_TAKEN, or MESH_CONFIG_INVALID for an address that this machine cannot listen
 * at or that others could reach without a token.
 */
export async function startAdmin(options: AdminOptions): Promise<RunningAdmin> {
  const address = parseHostPort(options.listen)
  if (address === undefined) throw invalid(options.listen, 'host:port')
  if (options.token === undefined && !isLoopback(address.host))
    throw invalid(options.listen, 'a loopback host, or a token')
  const app = await adminApp(options)
  try {
    return { url: await app.listen(address), close: () => app.close() }
  } catch (error) {
    await app.close()
    throw explained(error, options.listen)
  }
}

function explained(error: unknown, listen: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') return new MeshError('MESH_PORT_TAKEN', { key, address: listen }, { cause: error })
  const cures: Record<string, string> = {
    EADDRNOTAVAIL: 'an address of this machine',
    ENOTFOUND: 'a host name that resolves',
    EAI_AGAIN: 'a host name that resolves',
    EACCES: 'a port that this user may open (1024 or higher)',
  }
  const cure = cures[String(code)]
  return cure === undefined ? error : invalid(listen, cure, error)
}

function invalid(listen: string, expected: string, cause?: unknown): MeshError {
  return new MeshError('MESH_CONFIG_INVALID', { key, given: JSON.stringify(listen), expected }, { cause })
}
