import { MeshError } from '../core/errors.ts'
import type { Owner } from '../core/owner.ts'
import { describeApiMismatch, findApiMismatch } from '../telemetry/api-version.ts'
import type { MeshLogger } from '../telemetry/log.ts'
import type { PubSub, TracemeshComponents } from './components.ts'
import { checkPubSub } from './gossip/pubsub-check.ts'
import type { ResolvedOptions } from './init.ts'
import { missingTables } from './libp2p-tables.ts'
import { type Dht, missingDhtMembers } from './peer-store/dht-table.ts'

interface IdentifyService {
  identify(connection: unknown): Promise<unknown>
}

export function hasIdentify(components: TracemeshComponents, { services }: ResolvedOptions): boolean {
  return findService<IdentifyService>(components, services.identify ?? 'identify') !== undefined
}

/** Throws MESH_SERVICE_MISSING. */
export function requireIdentify(components: TracemeshComponents, { services }: ResolvedOptions): IdentifyService {
  const name = services.identify ?? 'identify'
  const identify = findService<IdentifyService>(components, name)
  if (identify !== undefined) return identify
  const cure = 'add `identify()` of @libp2p/identify, or set `services.identify` to the name that it has there'
  throw new MeshError('MESH_SERVICE_MISSING', { service: name, cure })
}

function pubsubName({ services }: ResolvedOptions): string {
  return services.pubsub ?? 'pubsub'
}

function dhtName({ services }: ResolvedOptions): string {
  return services.dht ?? 'dht'
}

/** The DHT, if libp2p has one that the mesh knows. */
export function findDht(components: TracemeshComponents, config: ResolvedOptions): Dht | undefined {
  const dht = findService<Dht>(components, dhtName(config))
  return dht !== undefined && missingDhtMembers(dht).length === 0 ? dht : undefined
}

/** What of libp2p and its DHT the mesh does not know. */
export function unknownParts(components: TracemeshComponents, config: ResolvedOptions): readonly string[] {
  const dht = findService<object>(components, dhtName(config))
  const missing = dht === undefined ? [] : missingDhtMembers(dht)
  return [
    ...missingTables(components).map((table) => `libp2p table not counted: ${table}`),
    ...(missing.length === 0 ? [] : [`DHT without ${missing.join(' ')}: the mesh does not sweep its table`]),
  ]
}

export function findPubSub(components: TracemeshComponents, config: ResolvedOptions): PubSub | undefined {
  return findService<PubSub>(components, pubsubName(config))
}

/** Throws MESH_SERVICE_MISSING if `services` names a missing service, MESH_PUBSUB_UNUSABLE. */
export async function checkPubSubService(
  components: TracemeshComponents,
  config: ResolvedOptions,
  owner: Owner,
): Promise<void> {
  const name = pubsubName(config)
  const pubsub = findService<PubSub>(components, name)
  if (pubsub !== undefined) {
    await checkPubSub({ name, pubsub, registrar: components.registrar, owner })
  } else if (config.services.pubsub !== undefined) {
    const cure = 'add `gossipsub()` of @libp2p/gossipsub under that name, or leave `services.pubsub` out'
    throw new MeshError('MESH_SERVICE_MISSING', { service: name, cure })
  }
}

/** libp2p makes services available as components under their names, and throws for an unknown name. */
function findService<S>(components: TracemeshComponents, name: string): S | undefined {
  try {
    return (components as unknown as Record<string, S | undefined>)[name]
  } catch {
    return undefined
  }
}

/** A second copy of the OpenTelemetry API in the process, for `mesh.node.started`; also logged. */
export function describeApiCopies(logger: MeshLogger): string[] {
  const other = findApiMismatch()
  if (other === undefined) return []
  const text = describeApiMismatch(other)
  logger[other.isReadable ? 'info' : 'warn'](text)
  return [text]
}
