/** Longest text that an error repeats: nobody needs to read 10,000 characters of nonsense. */
const shownMax = 200

/** A given value as an error repeats it: quoted, cut to 200 characters, without the credentials of a URL. */
export function quote(text: string): string {
  const shown = text.replace(/(\/\/)[^/\s@]*@/g, '$1…@')
  return JSON.stringify(shown.length > shownMax ? `${shown.slice(0, shownMax)}…` : shown)
}
