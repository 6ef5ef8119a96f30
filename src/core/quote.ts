/** Longest text that an error repeats: nobody needs to read 10,000 characters of nonsense. */
const maxLength = 200

/** What a URL may hold credentials behind or in front of: a user, a query, a fragment. */
const secretMarker = /[@?#]/

/** A given value as an error repeats it: quoted and cut to 200 characters. One that may hold a credential is not shown. */
export function quote(text: string): string {
  if (secretMarker.test(text)) return redact(text)
  return JSON.stringify(text.length > maxLength ? `${text.slice(0, maxLength)}…` : text)
}

/** In place of a value that may be a secret. */
export function redact(text: string): string {
  return `a text of ${text.length} characters, not shown since it may hold a secret`
}
