export const tabs = ['topology', 'nodes', 'traces', 'boot', 'messages'] as const
export type Tab = (typeof tabs)[number]

/** What the page shows, kept after `#` in its address, so that links and bookmarks work. */
export interface Route {
  readonly tab: Tab
  /** The open node or trace. */
  readonly item?: string
  readonly params: Readonly<Record<string, string>>
}

/** Parses an address; an unknown one leads to the first tab. */
export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split(/\?(.*)/s)
  const [tab = '', item] = path.split('/')
  const params = Object.fromEntries(new URLSearchParams(query))
  if (!isTab(tab)) return { tab: 'topology', params: {} }
  const decodedItem = item === undefined ? '' : decode(item)
  return { tab, params, ...(decodedItem !== '' && { item: decodedItem }) }
}

export function hrefOf(tab: Tab, item?: string, params: Readonly<Record<string, string>> = {}): string {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== '')).toString()
  const path = item === undefined ? tab : `${tab}/${encodeURIComponent(item)}`
  return `#/${path}${query === '' ? '' : `?${query}`}`
}

function isTab(text: string): text is Tab {
  return (tabs as readonly string[]).includes(text)
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
