import { type AttributesOf, emitSpan, type SpanEffect } from '../../catalogue/span-effect.ts'
import { parseAddress } from '../address.ts'
import type { DialBackOutcome } from '../frames.ts'
import type { StalledHandshakes } from '../handshake-watch.ts'
import { type LimitName, limitSetting } from '../limits.ts'
import type { MeshNodeOptions } from '../mesh-node.ts'
import type { Exhaustion, ResourceOperation } from '../resource-watch.ts'
import type { TraceRef } from '../trace.ts'

export function emitNodeStarted(
  of: Pick<Required<MeshNodeOptions>, 'name' | 'role' | 'incarnation' | 'instance' | 'sweepMs' | 'stalenessMs'> &
    Pick<MeshNodeOptions, 'limitList' | 'capsBytes'> & {
      readonly settings: readonly string[]
    },
): SpanEffect {
  return emitSpan('mesh.node.started', {
    'mesh.node.name': of.name,
    'mesh.node.role': of.role,
    'mesh.node.incarnation': of.incarnation,
    'mesh.node.instance': of.instance,
    'mesh.node.settings': of.settings,
    'mesh.node.sweep_ms': of.sweepMs,
    'mesh.node.staleness_ms': of.stalenessMs,
    ...(of.limitList !== undefined && { 'mesh.node.limits': of.limitList }),
    ...(of.capsBytes !== undefined && { 'mesh.node.caps_bytes': of.capsBytes }),
  })
}

/** `suspendedMs`: for how long no member expires. */
export function emitNodeStalled(sleptMs: number, suspendedMs: number): SpanEffect {
  return emitSpan('mesh.node.stalled', {
    'mesh.stall.slept_ms': Math.round(sleptMs),
    'mesh.stall.suspended_ms': suspendedMs,
  })
}

/** The parent of the node's other spans, linked to the window `before`. */
export function emitWindow(seq: number, uptimeMs: number, ref: TraceRef, before: TraceRef | undefined): SpanEffect {
  const attributes = { 'mesh.window.seq': seq, 'mesh.node.uptime_ms': Math.round(uptimeMs) }
  return emitSpan('mesh.window', attributes, { ref, parent: null, links: before === undefined ? [] : [before] })
}

export type LimitAction = 'refused' | 'closed' | 'evicted'

export function emitLimitReached(of: {
  readonly limit: LimitName
  readonly value: number
  readonly action: LimitAction
  /** Times that the node reached this limit since its start. */
  readonly total: number
  readonly peer?: string | undefined
  readonly address?: string | undefined
}): SpanEffect {
  const setting = limitSetting(of.limit)
  return emitSpan('mesh.limit.reached', {
    'mesh.limit.name': of.limit,
    'mesh.limit.value': of.value,
    'mesh.limit.action': of.action,
    'mesh.limit.total': of.total,
    ...(setting !== undefined && { 'mesh.limit.setting': setting }),
    ...(of.peer !== undefined && { 'mesh.peer.id': of.peer }),
    ...(of.address !== undefined && { 'network.peer.address': of.address }),
  })
}

type ResourceName = AttributesOf<'mesh.resource.exhausted'>['mesh.resource.name']

export function emitResourceExhausted(
  resource: ResourceName,
  { errorType, ref }: Exhaustion,
  operation: ResourceOperation,
): SpanEffect {
  const attributes = {
    'mesh.resource.name': resource,
    'error.type': errorType,
    'mesh.resource.operation': operation,
  }
  return emitSpan('mesh.resource.exhausted', attributes, { ref, parent: null })
}

export function emitResourceRecovered(resource: ResourceName, exhaustion: Exhaustion): SpanEffect {
  const { errorType, ref, since, lastAt, failures, operations } = exhaustion
  const attributes = {
    'mesh.resource.name': resource,
    'error.type': errorType,
    'mesh.resource.failures': failures,
    'mesh.resource.operations': operations,
    'mesh.resource.exhausted_ms': Math.round(lastAt - since),
  }
  return emitSpan('mesh.resource.recovered', attributes, { parent: ref, since })
}

/** `address`: of the listener. `capacity`: handshakes in which it can be at once. */
export function emitHandshakesStalled(
  address: string,
  { count, atLeastMs }: StalledHandshakes,
  capacity: number,
): SpanEffect {
  return emitSpan('mesh.handshake.stalled', {
    'mesh.listener.address': address,
    'mesh.handshake.count': count,
    'mesh.handshake.age_ms': atLeastMs,
    'mesh.handshake.capacity': capacity,
  })
}

export function emitDialBack(of: {
  readonly side: 'asker' | 'responder'
  readonly outcome: DialBackOutcome
  readonly peer: string
  readonly address: string
  /** Set by the responder only. */
  readonly errorType: string
}): SpanEffect {
  const { host, port, transport } = parseAddress(of.address)
  return emitSpan('mesh.address.dialback', {
    'mesh.dialback.side': of.side,
    'mesh.dialback.outcome': of.outcome,
    'mesh.peer.id': of.peer,
    'network.peer.address': host,
    'network.peer.port': port,
    'network.transport': transport === 'tcp' ? 'tcp' : 'udp',
    ...(of.errorType === '' ? {} : { 'error.type': of.errorType }),
  })
}
