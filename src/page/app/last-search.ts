import { hrefOf } from '../model/text.ts'

const key = 'tracemesh.search'

/** The last search for traces of this tab, so that a trace leads back to its results. */
export function searchHref(): string {
  return sessionStorage.getItem(key) ?? hrefOf('traces')
}

export function rememberSearch(params: Readonly<Record<string, string>>): void {
  sessionStorage.setItem(key, hrefOf('traces', undefined, params))
}
