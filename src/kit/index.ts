/**
 * tracemesh for js-libp2p applications: `services: { identify: identify(), tracemesh: tracemesh({ … }) }`. It loads no
 * transport and no gossipsub: the application brings its own. `tracemesh/libp2p` has those of `tracemesh node`.
 * @module
 */
import type { TracemeshComponents } from './components.ts'
import { type TracemeshInit, validateInit } from './init.ts'
import { TracemeshService } from './service.ts'
import type { Tracemesh } from './tracemesh.ts'

export type { Role } from '../catalogue/roles.ts'
export { type ErrorCode, type ErrorDetail, isMeshError, MeshError } from '../core/errors.ts'
export type { LinkState } from '../core/link.ts'
export type { OwnAddress, WithholdReason } from '../core/own-addresses.ts'
export type { RegistryCensus, ReleaseReason } from '../core/owned-map.ts'
export type { Inventory, OwnedResource, OwnerTotals } from '../core/owner.ts'
export type { TraceRef } from '../core/trace.ts'
export type { SpanProcessors } from '../telemetry/forwarding-span-processor.ts'
export type { LogLine, MeshLogger } from '../telemetry/log.ts'
export type {
  InstrumentationScope,
  ReadableSpan,
  Resource,
  SpanEvent,
  SpanProcessor,
} from '../telemetry/sdk-types.ts'
export type { ApplicationRegistry, RegistryOptions, WatchOptions } from './application-registries.ts'
export type { NetworkComponents, TracemeshComponents } from './components.ts'
export { type GossipSettings, gossipSettings } from './gossip/gossip-settings.ts'
export type { AgentLimit } from './gossip/rpc-size.ts'
export type { ServiceNames, TracemeshInit } from './init.ts'
export type {
  LeakDetail,
  LeakInvariant,
  MemberEventDetail,
  SeedConnectedDetail,
  SeedGiveupDetail,
  TracemeshEvents,
} from './mesh-events.ts'
export { decodeMessage, encodeMessage, type Message, type Stamp } from './messages/envelope.ts'
export type { MeshMessage, MessageHandler, Published, PublishOptions, SubscribeOptions } from './messages/messages.ts'
export { topicName } from './messages/messages.ts'
export type { MeshRequest, RequestHandler, RequestOptions } from './messages/requests.ts'
export type { Lookup, ResolvedName } from './multiaddrs.ts'
export type { Tracemesh } from './tracemesh.ts'
export type { MemberInfo, PeerInfo, Topology } from './views.ts'

/**
 * A mesh node as a libp2p service. It dials seeds until they answer, keeps one link per member, distinguishes members
 * from guests, detects silent peers, and records all of it as spans. It needs the `identify` service, and uses gossipsub
 * if present.
 *
 * The start of libp2p rejects with `MESH_SERVICE_MISSING` if a service that the option `services` names is missing, and
 * with `MESH_PUBSUB_UNUSABLE` if gossip would reach no peer.
 *
 * @throws MeshError `MESH_CONFIG_INVALID` for a value that is not allowed; its message names the allowed ones.
 *
 * @example
 *
 * ```typescript
 * import { gossipsub } from '@libp2p/gossipsub'
 * import { identify } from '@libp2p/identify'
 * import { createLibp2p } from 'libp2p'
 * import { tracemesh } from 'tracemesh'
 *
 * const libp2p = await createLibp2p({
 *   // ...transports, encrypters, muxers
 *   services: {
 *     identify: identify(),
 *     pubsub: gossipsub(),
 *     tracemesh: tracemesh({ mesh: 'mesh-a', seeds: ['/ip4/10.0.0.1/tcp/4001'] }),
 *   },
 * })
 * const mesh = libp2p.services.tracemesh
 * ```
 */
export function tracemesh(init: TracemeshInit = {}): (components: TracemeshComponents) => Tracemesh {
  const options = validateInit(init)
  return (components) => new TracemeshService(components, options)
}
