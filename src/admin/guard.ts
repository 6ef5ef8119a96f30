import { createHash, timingSafeEqual } from 'node:crypto'
import { isLoopback, parseHostPort } from './host-port.ts'

/** Whether an `authorization` header carries the token. Takes the same time however much of it is right. */
export function tokenVerifier(token: string): (header: string | undefined) => boolean {
  const expected = digest(token)
  return (header) => {
    const candidate = /^Bearer ([\x21-\x7e]{1,256})$/i.exec(header ?? '')?.[1]
    return candidate !== undefined && timingSafeEqual(digest(candidate), expected)
  }
}

/** Whether a `host` header names this machine. A page elsewhere that has its own name point here does not. */
export function namesThisMachine(header: string | undefined): boolean {
  const hostPort = parseHostPort(header ?? '', 80)
  return hostPort !== undefined && isLoopback(hostPort.host)
}

/** Headers that tell which page a browser asks for. */
export interface RequestHeaders {
  readonly host?: string | undefined
  readonly origin?: string | undefined
  readonly 'sec-fetch-site'?: string | string[] | undefined
}

/**
 * Whether a page from elsewhere asks, by its reader's browser. To read, other ports of this machine may: the pages of
 * Jaeger or Grafana link here. To change something only a page of this very server may, or what is no browser.
 */
export function isCrossSite(method: string, { host, origin, 'sec-fetch-site': site }: RequestHeaders): boolean {
  if (site === 'cross-site') return true
  if (method === 'GET' || method === 'HEAD') return false
  const otherOrigin = origin !== undefined && origin !== `http://${host}`
  return otherOrigin || (site !== undefined && site !== 'same-origin' && site !== 'none')
}

/** Equal lengths, which the comparison needs, whatever was given. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
