import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { ProxyTracerProvider, trace } from '@opentelemetry/api'

/** The global registry that all copies of API version 1 share. */
const key = Symbol.for('opentelemetry.js.api.1')

export interface ApiMismatch {
  /** Version of the copy through which the application has registered its tracer provider. */
  readonly registeredVersion: string
  /** Version of the copy that the mesh uses; empty when unknown. */
  readonly meshVersion: string
  /** Whether the mesh sees that provider: a copy reads only what the same or a newer version registered. */
  readonly isReadable: boolean
}

/**
 * Finds out whether the application registered its tracer provider through another version of `@opentelemetry/api` than
 * the mesh uses. Two copies of one version work as one, so they do not count.
 */
export function findApiMismatch(
  registry: unknown = (globalThis as Record<symbol, unknown>)[key],
  meshVersion = readMeshApiVersion(),
): ApiMismatch | undefined {
  const { version, trace: provider } = (registry ?? {}) as { version?: unknown; trace?: unknown }
  if (provider === undefined || typeof version !== 'string' || provider instanceof ProxyTracerProvider) return undefined
  const isReadable = trace.getTracerProvider() === provider
  return isReadable && version === meshVersion ? undefined : { registeredVersion: version, meshVersion, isReadable }
}

/** The log line: what is wrong, and what to do. */
export function describeApiMismatch({ registeredVersion, meshVersion, isReadable }: ApiMismatch): string {
  const versions = `the application registered ${registeredVersion}, the mesh uses ${meshVersion || 'another'}`
  const effect = isReadable ? '' : '; messages and requests carry no trace of the application'
  return `two versions of @opentelemetry/api: ${versions}${effect}; install one (npm ls @opentelemetry/api)`
}

function readMeshApiVersion(): string {
  try {
    const file = findPackageJSON('@opentelemetry/api', import.meta.url)
    return file === undefined ? '' : String(JSON.parse(readFileSync(file, 'utf8')).version)
  } catch {
    return ''
  }
}
