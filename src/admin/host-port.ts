import { isIP } from 'node:net'

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** Parses `host:port` or `[ip6]:port`; undefined for anything else. `defaultPort` applies when the port is missing. */
export function parseHostPort(text: string, defaultPort?: number): HostPort | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+))(?::(\d{1,5}))?$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = match?.[3] === undefined ? defaultPort : Number(match[3])
  if (host === undefined || port === undefined || port > 65_535) return undefined
  if (match?.[1] !== undefined && isIP(host) !== 6) return undefined
  // Digits and dots that are no IPv4 address would otherwise pass as a name.
  if (/^[\d.]+$/.test(host) && isIP(host) !== 4) return undefined
  return { host, port }
}
