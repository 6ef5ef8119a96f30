/** Marks names of spans, attributes, variables and options as code, unless they are marked. */
export function codeMarked(text: string): string {
  const names =
    /`[^`]*`|\b(?:(?:mesh|process|nodejs|code|error|host|service)\.[a-z0-9_.*]*[a-z0-9_*]|[A-Z]+(?:_[A-Z]+)+)\b/g
  return text.replaceAll(names, (name) => (name.startsWith('`') ? name : `\`${name}\``))
}

/** Anchor of a heading, as code forges build it. */
export function headingAnchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}

/** A section of a document, as a text for people names it: `"Profiles" in docs/operating.md`. */
const namedSection = /"([^"]+)" in docs\/([\w-]+\.md)/g

/** The sections that a text names, each with its document. */
export function sectionsIn(text: string): readonly { readonly section: string; readonly document: string }[] {
  return Array.from(text.matchAll(namedSection), ([, section = '', document = '']) => ({ section, document }))
}

/** Makes each section that a text names a link, for a page one directory below. */
export function sectionsLinked(text: string): string {
  return text.replaceAll(
    namedSection,
    (_, section: string, document: string) => `[${section}](../${document}#${headingAnchor(section)})`,
  )
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}
