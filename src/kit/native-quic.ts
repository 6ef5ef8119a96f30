import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

/** First native library that bounds a listener's stop and fixes three remote memory exhaustions. */
export const minNativeQuic = '2.1.4'

const platforms: Record<string, readonly string[]> = {
  'linux-x64': ['linux-x64-gnu', 'linux-x64-musl'],
  'linux-arm64': ['linux-arm64-gnu', 'linux-arm64-musl'],
  'darwin-x64': ['darwin-x64', 'darwin-universal'],
  'darwin-arm64': ['darwin-arm64', 'darwin-universal'],
  'win32-x64': ['win32-x64-msvc'],
}

export interface NativeQuic {
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
