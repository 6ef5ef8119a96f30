import type { Role } from '../../catalogue/roles.ts'
import { emitSpan, type SpanEffect } from '../../catalogue/span-effect.ts'
import type { TraceRef } from '../trace.ts'

export function emitNodeStarted(of: {
  readonly name: string
  readonly role: Role
  readonly incarnation: number
  readonly instance: string
  readonly settings: readonly string[]
}): SpanEffect {
  return emitSpan('mesh.node.started', {
    'mesh.node.name': of.name,
    'mesh.node.role': of.role,
    'mesh.node.incarnation': of.incarnation,
    'mesh.node.instance': of.instance,
    'mesh.node.settings': of.settings,
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
