/** A text as a one-line YAML string, with the quotes that this repository's formatter keeps. */
export function quote(text: string): string {
  return text.includes('"') && !/['\\\n]/.test(text) ? `'${text}'` : JSON.stringify(text)
}
