import type { AttributeSpec } from './attribute-spec.ts'
import { type AttributeName, attributes } from './attributes.ts'
import { registries } from './registries.ts'
import { attributesOf } from './span-effect.ts'
import { type SpanName, spans } from './spans.ts'

/** Anchor of a span's section: Markdown viewers drop the dots of its heading. */
export function spanAnchor(name: string): string {
  return name.replaceAll('.', '')
}

/** Anchor of an attribute in the index. */
export function attributeAnchor(name: AttributeName): string {
  return `attribute-${name.replaceAll(/[._]/g, '-')}`
}

/** Spans that carry an attribute, optional ones included. Every span has `mesh.seq`, none declares it. */
export function spansWith(attribute: AttributeName): readonly SpanName[] {
  const names = Object.keys(spans) as SpanName[]
  if (attribute === 'mesh.seq') return names
  return names.filter((name) => attributesOf(spans[name]).includes(attribute))
}

/** Whether it is a span of one of our registries, which all have the same attributes. */
export function isRegistrySpan(name: SpanName): boolean {
  return registries.some((registry) => name === `mesh.audit.${registry}`)
}

/** Last section of SPANS.md, as blocks of Markdown: every attribute, and the spans that carry it. */
export function attributeIndex(): string[] {
  const rows = (Object.keys(attributes) as AttributeName[]).map((name) => {
    const { brief }: AttributeSpec = attributes[name]
    const carriers = spansWith(name)
    const all = carriers.length === Object.keys(spans).length
    const links = [
      ...(carriers.some(isRegistrySpan) ? ['[all registries](#registries)'] : []),
      ...carriers.filter((span) => !isRegistrySpan(span)).map((span) => `[\`${span}\`](#${spanAnchor(span)})`),
    ]
    return `| <a id="${attributeAnchor(name)}"></a>\`${name}\` | ${brief} | ${all ? 'every span' : links.join(' ')} |`
  })
  return ['## All attributes', ['| attribute | meaning | spans |', '| --- | --- | --- |', ...rows].join('\n')]
}
