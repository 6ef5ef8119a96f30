import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type ConnectionEncrypter, serviceCapabilities } from '@libp2p/interface'
import type { NoiseComponents } from '@libp2p/noise'
import type { quic } from '@libp2p/quic'

/** Noise, loaded by the first connection that needs it: a node with only QUIC, which has TLS, saves 3 MB of ciphers. */
export function lazyNoise(load = loadNoise): (components: NoiseComponents) => ConnectionEncrypter {
  return (components) => {
    let loading: Promise<ConnectionEncrypter> | undefined
    const getNoise = () => {
      loading ??= load(components).catch((error: unknown) => {
        // For example without a free file descriptor: the next connection tries again.
        loading = undefined
        throw error
      })
      return loading
    }
    const encrypter: ConnectionEncrypter & { readonly [serviceCapabilities]: readonly string[] } = {
      protocol: '/noise',
      [serviceCapabilities]: ['@libp2p/connection-encryption', '@libp2p/noise'],
      secureInbound: async (connection, options) => (await getNoise()).secureInbound(connection, options),
      secureOutbound: async (connection, options) => (await getNoise()).secureOutbound(connection, options),
    }
    return encrypter
  }
}

async function loadNoise(components: NoiseComponents): Promise<ConnectionEncrypter> {
  const { noise: getNoise } = await import('@libp2p/noise')
  return getNoise()(components)
}

/**
 * Milliseconds for a listener's closed connections to drain; its stop waits for all of them. On loopback they drain at
 * once, over a long path within some round trips. An unfinished handshake has no measured round trip and takes three
 * seconds, longer than a complete stop may. Native libraries before 2.1.4 ignore this; later ones require it.
 */
const shutdownTimeout = 400

/** Probes detect dead peers; these times serve peers without probes, and equal those of go and rust. */
export const quicSettings = { shutdownTimeout, maxIdleTimeout: 10_000, keepAliveInterval: 5_000 } as Parameters<
  typeof quic
>[0]

/** Options for a flow control window of `bytes` per connection; a stream gets two thirds of it, as by default. */
export function quicWindows(bytes: number) {
  return { maxConnectionData: bytes, maxStreamData: Math.floor((2 * bytes) / 3) }
}

/** First native library that bounds a listener's stop and fixes three remote memory exhaustions. */
const minNativeQuic = '2.1.4'

const platforms: Record<string, readonly string[]> = {
  'linux-x64': ['linux-x64-gnu', 'linux-x64-musl'],
  'linux-arm64': ['linux-arm64-gnu', 'linux-arm64-musl'],
  'darwin-x64': ['darwin-x64', 'darwin-universal'],
  'darwin-arm64': ['darwin-arm64', 'darwin-universal'],
  'win32-x64': ['win32-x64-msvc'],
}

interface NativeQuic {
  /** Version of this platform's package that the QUIC transport would load; undefined when unknown. */
  readonly version: string | undefined
  /** Advice for the operator; undefined when the version is new enough. */
  readonly warning: string | undefined
}

/**
 * This project's `overrides` for a newer native library do not apply to applications that install it: the warning tells
 * them to set their own.
 */
export function nativeQuic(findVersion: (name: string) => string | undefined = installedVersion): NativeQuic {
  const names = platforms[`${process.platform}-${process.arch}`] ?? []
  for (const name of names) {
    const version = findVersion(`@chainsafe/libp2p-quic-${name}`)
    if (version === undefined) continue
    if (!isOlder(version, minNativeQuic)) return { version, warning: undefined }
    return { version, warning: `${overrideAdvice(name)}; loaded is ${version}` }
  }
  return { version: undefined, warning: undefined }
}

function overrideAdvice(name: string): string {
  const override = `"overrides": { "@chainsafe/libp2p-quic-${name}": "${minNativeQuic}" }`
  return `the native QUIC library should be ${minNativeQuic} or newer: put ${override} into package.json`
}

/** Resolves from the same place as the transport does. */
function installedVersion(name: string): string | undefined {
  try {
    const transport = createRequire(import.meta.url).resolve('@libp2p/quic/package.json')
    const file = createRequire(transport).resolve(`${name}/package.json`)
    const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version?: string }
    return version
  } catch {
    return undefined
  }
}

/** Compares number by number; a pre-release counts as its release. */
export function isOlder(version: string, minimum: string): boolean {
  const [parts, minParts] = [version, minimum].map((text) => text.split(/[.-]/).slice(0, 3).map(Number))
  for (let i = 0; i < 3; i++) {
    const difference = (parts?.[i] ?? 0) - (minParts?.[i] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}
