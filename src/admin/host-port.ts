import { isIP } from 'node:net'

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** `host:port` or `[ip6]:port`; undefined for anything else. `fallback` is the port when none is given. */
export function parseHostPort(text: string, fallback?: number): HostPort | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+))(?::(\d{1,5}))?$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = match?.[3] === undefined ? fallback : Number(match[3])
  if (host === undefined || port === undefined || port > 65_535) return undefined
  if (match?.[1] !== undefined && isIP(host) !== 6) return undefined
  // Digits and dots that are no address would otherwise pass for a name.
  if (/^[\d.]+$/.test(host) && isIP(host) !== 4) return undefined
  return { host, port }
}

/** Whether only this machine can reach it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}
