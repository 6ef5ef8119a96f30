import type { Attributes } from '@opentelemetry/api'
import type { SpanEffect } from '../catalogue/span-effect.ts'

/** Bounds of one attribute's value, so that no peer can make a span large. Guesses. */
export const maxTextLength = 256
export const maxListLength = 32

/** Cuts texts at 256 characters and lists at 32 elements. Copies the attributes only if one is too long. */
export function truncateAttributes(original: SpanEffect['attributes']): Attributes {
  const attributes = original as Attributes
  let copy: Attributes | undefined
  for (const name in attributes) {
    const value = attributes[name]
    const truncated = Array.isArray(value) ? truncateList(value as readonly string[]) : truncateText(value)
    if (truncated === value) continue
    copy ??= { ...attributes }
    copy[name] = truncated as string
  }
  return copy ?? attributes
}

function truncateList(list: readonly string[]): readonly unknown[] {
  const isTooLong = list.length > maxListLength || list.some((text) => text.length > maxTextLength)
  return isTooLong ? list.slice(0, maxListLength).map(truncateText) : list
}

function truncateText(value: unknown): unknown {
  return typeof value === 'string' && value.length > maxTextLength ? value.slice(0, maxTextLength) : value
}
