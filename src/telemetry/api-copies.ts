import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { ProxyTracerProvider, trace } from '@opentelemetry/api'

/** Where every copy of version 1 of the API registers, and looks for what others have registered. */
const key = Symbol.for('opentelemetry.js.api.1')

export interface OtherApi {
  /** Version of the copy through which the application has registered its tracer provider. */
  readonly registered: string
  /** Version of the copy that the mesh uses; empty when it cannot be told. */
  readonly used: string
  /** Whether the mesh sees what is registered: a copy reads only what the same or a newer version registered. */
  readonly readable: boolean
}

/**
 * The copy of `@opentelemetry/api` that the application registered its tracer provider through, where that is another
 * version than the mesh uses. Two copies of one version work as one, so they are no finding.
 */
export function otherApi(
  registry: unknown = (globalThis as Record<symbol, unknown>)[key],
  used = usedVersion(),
): OtherApi | undefined {
  const { version, trace: provider } = (registry ?? {}) as { version?: unknown; trace?: unknown }
  if (provider === undefined || typeof version !== 'string' || provider instanceof ProxyTracerProvider) return undefined
  const readable = trace.getTracerProvider() === provider
  return readable && version === used ? undefined : { registered: version, used, readable }
}

/** For people: what is wrong, and what to do. */
export function describeOtherApi({ registered, used, readable }: OtherApi): string {
  const copies = `two versions of @opentelemetry/api: the application registered ${registered}, the mesh uses ${used || 'another'}`
  const effect = readable ? '' : '; messages and requests carry no trace of the application'
  return `${copies}${effect}; install one version (npm ls @opentelemetry/api lists both)`
}

function usedVersion(): string {
  try {
    const file = findPackageJSON('@opentelemetry/api', import.meta.url)
    return file === undefined ? '' : String(JSON.parse(readFileSync(file, 'utf8')).version)
  } catch {
    return ''
  }
}
