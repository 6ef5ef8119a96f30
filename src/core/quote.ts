/** Longest text, in characters, that an error quotes. */
const maxLength = 200

/** Delimiters next to which a URL may contain credentials: user, query, fragment. */
const secretMarker = /[@?#]/

/** Quotes a configured value for an error and cuts it to 200 characters; redacts one that may contain a credential. */
export function quote(text: string): string {
  if (secretMarker.test(text)) return redact(text)
  return JSON.stringify(text.length > maxLength ? `${text.slice(0, maxLength)}…` : text)
}

/** Placeholder for a value that may be a secret. */
export function redact(text: string): string {
  return `a text of ${text.length} characters, not shown since it may hold a secret`
}
