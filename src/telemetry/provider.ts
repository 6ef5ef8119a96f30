import type { Tracer, TracerProvider as TracerProviderApi } from '@opentelemetry/api'
import type { Role } from '../catalogue/roles.ts'
import { machineId } from './machine.ts'
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
  /** `service.instance.id`; new for every process start when left out. */
  readonly instanceId?: string
}

export interface ProviderConfig {
  readonly resource: Resource
  /** Of tracemesh itself; `service.version` of the resource may be the application's. */
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

/** Version of the semantic conventions whose names spans and resource use. */
const schemaUrl = 'https://opentelemetry.io/schemas/1.41.0'

/** The tracer of a provider as our spans name it: instrumentation scope, its version, and its schema. */
export function meshTracer(provider: Pick<TracerProviderApi, 'getTracer'>, version: string): Tracer {
  return provider.getTracer('tracemesh', version, { schemaUrl })
}

/** A tracer of our own that no other code of the process can see: a library must not take over the global one. */
export const privateProvider: ProviderFactory = ({ processor, version, ...config }) => {
  const provider = new TracerProvider({ ...config, spanProcessors: [processor] })
  return { tracer: meshTracer(provider, version), shutdown: () => provider.shutdown() }
}

/**
 * No host, process or OS detectors: each would ride on every request. Of the machine only its id does: Jaeger compares
 * the times of parent and child, and warns of those that do not fit, unless both were told on one host.
 * `OTEL_RESOURCE_ATTRIBUTES` and `_SERVICE_NAME` win.
 */
export function resourceOf(node: NodeResource): Resource {
  const own = resourceFromAttributes({
    'service.name': node.meshId,
    'service.namespace': 'tracemesh',
    'service.version': node.version,
    'service.instance.id': node.instanceId ?? crypto.randomUUID(),
    'host.id': machineId(),
    'mesh.id': node.meshId,
    'mesh.node.name': node.nodeName,
    'mesh.node.role': node.role,
    'mesh.node.incarnation': node.incarnation,
    'mesh.peer.self': node.peer,
  })
  return defaultResource().merge(own).merge(environmentResource())
}
