import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

/** Native part from which on a listener's stop is bounded and three remote memory exhaustions are fixed. */
export const minNativeQuic = '2.1.4'

const platforms: Record<string, readonly string[]> = {
  'linux-x64': ['linux-x64-gnu', 'linux-x64-musl'],
  'linux-arm64': ['linux-arm64-gnu', 'linux-arm64-musl'],
  'darwin-x64': ['darwin-x64', 'darwin-universal'],
  'darwin-arm64': ['darwin-arm64', 'darwin-universal'],
  'win32-x64': ['win32-x64-msvc'],
}

export interface NativeQuic {
  /** Of the package for this platform that the QUIC transport would load; undefined when it cannot be told. */
  readonly version: string | undefined
  /** What to tell the operator; undefined when all is well. */
  readonly warning: string | undefined
}

/**
 * The `overrides` by which this project takes a newer native part do not reach applications that install it: they are
 * to set it themselves, and are told so.
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

/** Looked for from where the transport itself looks. */
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

/** By number, field by field; a pre-release counts as its release. */
export function isOlder(version: string, minimum: string): boolean {
  const [parts, minParts] = [version, minimum].map((text) => text.split(/[.-]/).slice(0, 3).map(Number))
  for (let i = 0; i < 3; i++) {
    const difference = (parts?.[i] ?? 0) - (minParts?.[i] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}
