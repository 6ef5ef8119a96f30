import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Tracer, TracerProvider as TracerProviderApi } from '@opentelemetry/api'
import type { Role } from '../catalogue/roles.ts'
import { defaultResource, environmentResource, resourceFromAttributes, TracerProvider } from './sdk.ts'
import type { IdGenerator, Resource, Sampler, SpanProcessor } from './sdk-types.ts'

export interface NodeResource {
  /** `service.name`: one service per mesh, since trace stores search one service at a time. */
  readonly meshId: string
  readonly nodeName: string
  readonly role: Role
  readonly incarnation: number
  /** Own peer id: for searching, never a metric label. */
  readonly peer: string
  readonly version: string
  /** `service.instance.id`; by default a new one for every process start. */
  readonly instanceId?: string
}

/** A program that emits spans about a mesh and is not a node of it: its spans have no `mesh.node.name` on the resource. */
export type ToolResource = Pick<NodeResource, 'meshId' | 'version'>

export interface ProviderConfig {
  readonly resource: Resource
  /** Version of tracemesh itself; `service.version` of the resource may be the application's. */
  readonly version: string
  readonly processor: SpanProcessor
  readonly idGenerator: IdGenerator
  readonly sampler: Sampler
}

export interface Provider {
  readonly tracer: Tracer
  shutdown(): Promise<void>
}

export type ProviderFactory = (config: ProviderConfig) => Provider

/** Version of the semantic conventions of spans and resource. */
const schemaUrl = 'https://opentelemetry.io/schemas/1.41.0'

/** The tracer of our instrumentation scope, with its version and schema. */
export function meshTracer(provider: Pick<TracerProviderApi, 'getTracer'>, version: string): Tracer {
  return provider.getTracer('tracemesh', version, { schemaUrl })
}

/** A tracer that no other code of the process can see: a library must not replace the global one. */
export const privateProvider: ProviderFactory = ({ processor, version, ...config }) => {
  const provider = new TracerProvider({ ...config, spanProcessors: [processor] })
  return { tracer: meshTracer(provider, version), shutdown: () => provider.shutdown() }
}

/**
 * Without host, process or OS detectors, whose attributes every request would carry. `host.id` alone is needed: Jaeger
 * warns of a child that does not fit into its parent's time, unless both come from one host.
 * `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME` win.
 */
export function resourceOf(node: NodeResource | ToolResource): Resource {
  const ofNode = 'nodeName' in node ? nodeAttributes(node) : {}
  const own = resourceFromAttributes({
    'service.name': node.meshId,
    'service.namespace': 'tracemesh',
    'service.version': node.version,
    'service.instance.id': ('instanceId' in node ? node.instanceId : undefined) ?? crypto.randomUUID(),
    'host.id': machineId(),
    'mesh.id': node.meshId,
    ...ofNode,
  })
  return defaultResource().merge(own).merge(environmentResource())
}

function nodeAttributes({ nodeName, role, incarnation, peer }: NodeResource) {
  return {
    'mesh.node.name': nodeName,
    'mesh.node.role': role,
    'mesh.node.incarnation': incarnation,
    'mesh.peer.self': peer,
  }
}

const bootId = '/proc/sys/kernel/random/boot_id'

/**
 * Identifies the clock that this process reads: all containers of a machine share the id, and it changes on reboot.
 * Without such a file, the host name.
 */
export function machineId(file = bootId): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return hostname()
  }
}
