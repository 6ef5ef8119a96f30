/** An HTTP proxy that gRPC sends through. */
export interface Proxy {
  /** Environment variable that names it. */
  readonly variable: string
  /** `host:port`, without credentials. */
  readonly address: string
}

type Environment = Readonly<Record<string, string | undefined>>

/** In the order in which grpc-js asks them (its `http_proxy.js`, 1.14). */
const proxyVariables = ['grpc_proxy', 'https_proxy', 'http_proxy'] as const
const noProxyVariables = ['no_grpc_proxy', 'no_proxy'] as const

/**
 * Whether a host is on this machine or in its own network by name: loopback, or a name without a dot, such as the
 * service of a compose file. No proxy elsewhere can reach either.
 */
export function isLocalHost(host: string): boolean {
  const bare = host.replace(/^\[|\]$|\.$/g, '').toLowerCase()
  if (bare.includes(':')) return bare === '::1' || bare === '::' || /^::ffff:(127\.|7f)/.test(bare)
  return /^127(\.\d+){3}$/.test(bare) || bare === '0.0.0.0' || bare.endsWith('.localhost') || !bare.includes('.')
}

/** The proxy that an export to `host` takes, if any; `no_proxy` as grpc-js reads it, networks in CIDR left out. */
export function proxyTo(host: string, env: Environment = process.env): Proxy | undefined {
  if (isLocalHost(host)) return undefined
  const variable = proxyVariables.find((name) => env[name])
  const exempt = noProxyVariables.map((name) => env[name]).find((list) => list)
  if (variable === undefined || exempt?.split(',').some((suffix) => suffix !== '' && host.endsWith(suffix)))
    return undefined
  const url = URL.parse(env[variable] ?? '')
  return url?.protocol === 'http:' ? { variable, address: `${url.hostname}:${url.port || '80'}` } : undefined
}

/**
 * Runs `run`, in which grpc-js opens a channel to `host`, with proxies off for this host. The exporter offers no way to
 * say so to grpc-js, which reads the environment while it opens the channel; nothing else runs in between.
 */
export function withoutProxy<T>(host: string, run: () => T): T {
  const [variable] = noProxyVariables
  const before = process.env[variable]
  process.env[variable] = host.replace(/^\[|\]$/g, '')
  try {
    return run()
  } finally {
    if (before === undefined) delete process.env[variable]
    else process.env[variable] = before
  }
}
