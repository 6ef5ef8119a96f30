/** Longest text that an error repeats: nobody needs to read 10,000 characters of nonsense. */
const shownMax = 200

/** What a URL may hold credentials behind or in front of: a user, a query, a fragment. */
const maybeSecret = /[@?#]/

/** A given value as an error repeats it: quoted and cut to 200 characters. One that may hold a credential is not shown. */
export function quote(text: string): string {
  if (maybeSecret.test(text)) return withheld(text)
  return JSON.stringify(text.length > shownMax ? `${text.slice(0, shownMax)}…` : text)
}

/** In place of a value that may be a secret. */
export function withheld(text: string): string {
  return `a text of ${text.length} characters, not shown since it may hold a secret`
}
