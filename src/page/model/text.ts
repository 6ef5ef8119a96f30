const units = [
  { ms: 86_400_000, name: 'd' },
  { ms: 3_600_000, name: 'h' },
  { ms: 60_000, name: 'min' },
  { ms: 1_000, name: 's' },
] as const

/** Milliseconds for people: `1 μs`, `0.4 ms`, `312 ms`, `2.5 s`, `3.2 min`. */
export function duration(ms: number): string {
  const unit = units.find((candidate) => Math.abs(ms) >= candidate.ms)
  if (unit !== undefined) return `${short(ms / unit.ms)} ${unit.name}`
  if (Math.abs(ms) >= 1 || ms === 0) return `${Math.round(ms)} ms`
  return Math.abs(ms) >= 0.1 ? `${short(ms)} ms` : `${short(ms * 1_000)} μs`
}

function short(value: number): string {
  return Math.abs(value) >= 10 ? String(Math.round(value)) : String(Math.round(value * 10) / 10)
}

/**
 * Time of day where the reader is, as page and terminal show all times, with milliseconds on request; with the date if it
 * is not that of `nowMs`.
 */
export function clock(epochMs: number, withMs = false, nowMs = Date.now()): string {
  const at = new Date(epochMs)
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(twoDigits).join(':')
  const day = dayOf(at) === dayOf(new Date(nowMs)) ? '' : `${dayOf(at)} `
  return `${day}${time}${withMs ? `.${String(at.getMilliseconds()).padStart(3, '0')}` : ''}`
}

/** Name of the time zone of `clock`, such as `CET` or `GMT+1`. */
export function zoneName(nowMs = Date.now()): string {
  const parts = new Intl.DateTimeFormat('en', { timeZoneName: 'short' }).formatToParts(nowMs)
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? 'local time'
}

function dayOf(at: Date): string {
  return [at.getFullYear(), at.getMonth() + 1, at.getDate()].map(twoDigits).join('-')
}

function twoDigits(part: number): string {
  return String(part).padStart(2, '0')
}

/** What a node is called: its name, or the short form of its id. */
export function nodeTitle({ name, id }: { readonly name: string; readonly id: string }): string {
  return name === '' ? shortId(id) : name
}

/** Longest name in the graph, in characters. */
const maxNameChars = 24

/** A name that fits below a node of the graph. */
export function shortName(name: string): string {
  return name.length <= maxNameChars ? name : `${name.slice(0, maxNameChars - 1)}…`
}

/** The last characters of a peer id: all ids begin alike. */
export function shortId(id: string): string {
  return id.length > 16 ? `…${id.slice(-8)}` : id
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}

export type Direction = 'ascending' | 'descending'
export type Sortable = string | number | undefined

const collator = new Intl.Collator('en', { numeric: true })

/** Returns a sorted copy. Items without a value come last in both directions; equal items keep their order. */
export function sortBy<T>(items: readonly T[], by: (item: T) => Sortable, direction: Direction): T[] {
  const sign = direction === 'ascending' ? 1 : -1
  return [...items].sort((a, b) => compare(by(a), by(b), sign))
}

function compare(a: Sortable, b: Sortable, sign: number): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined)
  return sign * (typeof a === 'number' && typeof b === 'number' ? a - b : collator.compare(String(a), String(b)))
}

type Attributes = Readonly<Record<string, string | number | boolean>>

/**
 * Parses the `key=value` pairs of a search, separated by spaces; a value with spaces is in double quotes. Numbers,
 * `true` and `false` have their own type unless they are quoted.
 */
export function parseAttributes(text: string): { readonly attributes: Attributes; readonly problem?: string } {
  const attributes: Record<string, string | number | boolean> = {}
  let rest = text.trim()
  while (rest !== '') {
    const match = /^([^\s=]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))(?:\s+|$)/.exec(rest)
    if (match === null) return { attributes, problem: `expected key=value, got ${rest}` }
    const [pair, key = '', quoted, plain = ''] = match
    attributes[key] = quoted === undefined ? parseValue(plain) : quoted.replace(/\\(.)/g, '$1')
    rest = rest.slice(pair.length)
  }
  return { attributes }
}

export function attributesText(attributes: Attributes): string {
  return Object.entries(attributes)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? quote(value) : value}`)
    .join(' ')
}

function parseValue(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  const number = Number(text)
  return /^-?\d+(\.\d+)?$/.test(text) && Number.isFinite(number) && String(number) === text ? number : text
}

function quote(text: string): string {
  const plain = /^[^\s"\\]+$/.test(text) && parseValue(text) === text
  return plain ? text : `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** Fewest digits that name a trace: with 4,000 others the chance that one begins alike is 1 in 4,000. */
const fewestDigits = 6
const idDigits = 32

/** Parses a trace id, or its first digits, as it was copied from a page, a log or an alert. */
export function parseTraceId(text: string): { readonly id: string } | { readonly problem: string } {
  const id = text
    .trim()
    .replace(/^trace\s+/i, '')
    .toLowerCase()
  if (!/^[0-9a-f]*$/.test(id)) return { problem: `A trace id has the digits 0-9 and a-f only: ${id} has others.` }
  if (id.length > idDigits) return { problem: `A trace id has ${idDigits} digits; this one has ${id.length}.` }
  if (id.length < fewestDigits) return { problem: `Enter at least the first ${fewestDigits} digits of a trace id.` }
  return { id }
}

export function isWholeTraceId(id: string): boolean {
  return id.length === idDigits
}

export const tabs = ['topology', 'nodes', 'traces', 'doctor', 'boot', 'messages'] as const
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
