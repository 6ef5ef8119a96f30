import { createHash, timingSafeEqual } from 'node:crypto'
import { isLoopback, parseHostPort } from './host-port.ts'

/** Checks an `authorization` header for the token, in constant time. */
export function tokenVerifier(token: string): (header: string | undefined) => boolean {
  const expected = digest(token)
  return (header) => {
    const candidate = /^Bearer ([\x21-\x7e]{1,256})$/i.exec(header ?? '')?.[1]
    return candidate !== undefined && timingSafeEqual(digest(candidate), expected)
  }
}

/** Whether a `host` header names this machine. A DNS-rebinding page sends its own host name. */
export function namesThisMachine(header: string | undefined): boolean {
  const hostPort = parseHostPort(header ?? '', 80)
  return hostPort !== undefined && isLoopback(hostPort.host)
}

/** Headers by which the server recognizes the page that a browser request comes from. */
export interface RequestHeaders {
  readonly host?: string | undefined
  readonly origin?: string | undefined
  readonly 'sec-fetch-site'?: string | string[] | undefined
}

/**
 * Whether a page of another site sent the request. Pages on other ports of this machine may read: those of Jaeger and
 * Grafana link here. Only pages of this server, and clients that are no browser, may change something.
 */
export function isCrossSite(method: string, { host, origin, 'sec-fetch-site': site }: RequestHeaders): boolean {
  if (site === 'cross-site') return true
  if (method === 'GET' || method === 'HEAD') return false
  const otherOrigin = origin !== undefined && origin !== `http://${host}`
  return otherOrigin || (site !== undefined && site !== 'same-origin' && site !== 'none')
}

/** Digests have the equal lengths that `timingSafeEqual` needs. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
