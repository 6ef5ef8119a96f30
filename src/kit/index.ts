/**
 * tracemesh for js-libp2p applications: `services: { identify: identify(), tracemesh: tracemesh({ … }) }`. It loads no
 * transport and no gossipsub: the application brings its own. `tracemesh/libp2p` has those of `tracemesh node`.
 * @module
 */
import type { TracemeshComponents } from './components.ts'
import type { TracemeshInit } from './init.ts'
import { validateInit } from './init-rules.ts'
import { TracemeshService } from './service.ts'
import type { Tracemesh } from './tracemesh.ts'

export { type ErrorCode, type ErrorDetail, MeshError } from '../core/errors.ts'
export type { Inventory } from '../core/owner.ts'
export type { TraceRef } from '../core/trace.ts'
export type { TracemeshComponents } from './components.ts'
export { decodeMessage, encodeMessage, type Message, type Stamp } from './envelope.ts'
export { type GossipSettings, gossipSettings } from './gossip-settings.ts'
export type { TracemeshInit } from './init.ts'
export type { MeshMessage, MessageHandler, Published, PublishOptions, SubscribeOptions } from './message.ts'
export { topicName } from './messages.ts'
export type { MeshRequest, RequestHandler, RequestOptions } from './requests.ts'
export type { Tracemesh } from './tracemesh.ts'
export type { MemberInfo, PeerInfo, Topology } from './views.ts'

/**
 * A mesh node as a libp2p service. It dials seeds until they answer, keeps one link per member, distinguishes members
 * from guests, detects silent peers, and records all of it as spans. Needs the `identify` service; uses gossipsub if
 * present. Throws MESH_CONFIG_INVALID for a value that is not allowed.
 */
export function tracemesh(init: TracemeshInit = {}): (components: TracemeshComponents) => Tracemesh {
  const options = validateInit(init)
  return (components) => new TracemeshService(components, options)
}
