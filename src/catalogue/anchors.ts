import type { AttributeName } from './attributes.ts'

/** Where a span is explained: the anchor that Markdown viewers give its heading, which leave dots out. */
export function spanAnchor(name: string): string {
  return name.replaceAll('.', '')
}

/** Where an attribute is explained. */
export function attributeAnchor(name: AttributeName): string {
  return `attribute-${name.replaceAll(/[._]/g, '-')}`
}
