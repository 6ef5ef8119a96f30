import { type AttributesOf, emitSpan, type SpanEffect } from '../../catalogue/span-effect.ts'
import type { Exhaustion, ResourceOperation } from '../resource-watch.ts'

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
  return emitSpan('mesh.resource.exhausted', attributes, { ref })
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
