import type { Attributes } from '@opentelemetry/api'
import type { SpanEffect } from '../catalogue/span-effect.ts'

/** Bounds of one attribute's value: whatever a peer sends, a span stays small. Guesses. */
export const textMax = 256
export const listMax = 32

/** The attributes of a span, texts cut at 256 characters and lists at 32 elements. Copied only where one is too long. */
export function cut(given: SpanEffect['attributes']): Attributes {
  const attributes = given as Attributes
  let copy: Attributes | undefined
  for (const name in attributes) {
    const value = attributes[name]
    const short = Array.isArray(value) ? cutList(value as readonly string[]) : cutText(value)
    if (short === value) continue
    copy ??= { ...attributes }
    copy[name] = short as string
  }
  return copy ?? attributes
}

function cutList(list: readonly string[]): readonly unknown[] {
  const long = list.length > listMax || list.some((text) => text.length > textMax)
  return long ? list.slice(0, listMax).map(cutText) : list
}

function cutText(value: unknown): unknown {
  return typeof value === 'string' && value.length > textMax ? value.slice(0, textMax) : value
}
