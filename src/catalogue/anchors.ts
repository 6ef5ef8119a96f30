import type { AttributeName } from './attributes.ts'

/** Anchor of a span's section: Markdown viewers drop the dots of its heading. */
export function spanAnchor(name: string): string {
  return name.replaceAll('.', '')
}

/** Anchor of an attribute in the index. */
export function attributeAnchor(name: AttributeName): string {
  return `attribute-${name.replaceAll(/[._]/g, '-')}`
}
