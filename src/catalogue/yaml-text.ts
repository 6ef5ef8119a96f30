/** A text as a YAML value on one line, in the quotes that the formatter of this repository leaves as they are. */
export function quote(text: string): string {
  return text.includes('"') && !/['\\\n]/.test(text) ? `'${text}'` : JSON.stringify(text)
}
