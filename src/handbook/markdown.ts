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

/** Links `See "SECTION"` to docs/diagnosing.md, and `see Profiles` to docs/operating.md. */
export function sectionsLinked(text: string): string {
  return text
    .replaceAll(
      /See "([^"]+)"/g,
      (_, section: string) => `See [${section}](../diagnosing.md#${headingAnchor(section)})`,
    )
    .replaceAll(/see Profiles/g, 'see [Profiles](../operating.md#profiles)')
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}
