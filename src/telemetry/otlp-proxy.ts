import { canonicalHost, isLoopback, isWildcard } from '../core/address.ts'

/** An HTTP proxy that gRPC sends through. */
export interface Proxy {
  /** Environment variable that names it. */
  readonly variable: string
  /** `host:port`, without credentials. */
  readonly address: string
}

type Environment = Readonly<Record<string, string | undefined>>

/** In the order in which grpc-js reads them (its `http_proxy.js`, 1.14). */
const proxyVariables = ['grpc_proxy', 'https_proxy', 'http_proxy'] as const
const noProxyVariables = ['no_grpc_proxy', 'no_proxy'] as const

/**
 * Whether exports to a host use no proxy: it is on this machine, or its name has no dot, such as a service of a compose
 * file. A proxy elsewhere reaches neither.
 */
export function bypassesProxy(host: string): boolean {
  const bare = canonicalHost(host.replace(/^\[|\]$|\.$/g, '').toLowerCase())
  return isLoopback(bare) || isWildcard(bare) || bare.endsWith('.localhost') || !/[.:]/.test(bare)
}

/** The proxy of an export to `host`, if any; reads `no_proxy` like grpc-js, except networks in CIDR. */
export function findProxy(host: string, env: Environment = process.env): Proxy | undefined {
  if (bypassesProxy(host)) return undefined
  const variable = proxyVariables.find((name) => env[name])
  const exemptions = noProxyVariables.map((name) => env[name]).find((list) => list)
  if (variable === undefined || exemptions?.split(',').some((suffix) => suffix !== '' && host.endsWith(suffix)))
    return undefined
  const url = URL.parse(env[variable] ?? '')
  return url?.protocol === 'http:' ? { variable, address: `${url.hostname}:${url.port || '80'}` } : undefined
}

/**
 * Runs `run`, in which grpc-js opens a channel to `host`, with proxies off for this host. The exporter has no option
 * for it, and grpc-js reads the environment when it opens the channel; nothing else runs in between.
 */
export function withoutProxy<T>(host: string, run: () => T): T {
  const [variable] = noProxyVariables
  const previous = process.env[variable]
  process.env[variable] = host.replace(/^\[|\]$/g, '')
  try {
    return run()
  } finally {
    if (previous === undefined) delete process.env[variable]
    else process.env[variable] = previous
  }
}
