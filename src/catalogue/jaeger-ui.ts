import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { attributeAnchor, spanAnchor } from './anchors.ts'
import { spansWith } from './attribute-index.ts'
import { type AttributeName, type AttributeSpec, attributes } from './attributes.ts'
import { jsonText } from './json-text.ts'
import { endings, type Search, searches, searchUrl } from './searches.ts'

/** The committed configuration of Jaeger's page; `npm run generate` writes it. */
export const jaegerUiPage = fileURLToPath(new URL('../../jaeger/ui.json', import.meta.url))

export interface JaegerUiOptions {
  /** The page of an observer or a lab, as a browser reaches it. */
  readonly page: string
  /** Where SPANS.md is to be read, in any form that keeps its anchors. */
  readonly docs: string
  /** Meshes that have a menu of searches: Jaeger searches one service at a time. */
  readonly meshes: readonly string[]
}

/** The stack as it is shipped: an observer's page on loopback, which explains the spans as well. */
const shipped = { page: 'http://127.0.0.1:16680', meshes: ['mesh-a', 'mesh-b'] }
const defaults: JaegerUiOptions = { ...shipped, docs: docsOf(shipped.page) }

/** A pattern turns the value of an attribute into a link; `#{key}` is the value of another on the span or above it. */
interface LinkPattern {
  readonly type: 'tags' | 'process'
  readonly key: string
  readonly url: string
  readonly text: string
}

/** Attributes that name one thing, and what finds all that was told of it. */
const threads = [
  ['mesh.link.id', 'Both ends of this link'],
  ['mesh.message.id', 'The way of this message'],
  ['mesh.seed.address', 'All campaigns for this seed'],
  ['mesh.connection.id', 'All of this connection'],
] as const satisfies readonly (readonly [AttributeName, string])[]

const peers = ['mesh.peer.id', 'mesh.origin.peer'] as const satisfies readonly AttributeName[]

/** Configuration of Jaeger's page: menus of ready searches, links from attributes, a week of look-back. */
export function renderJaegerUi({ page, docs, meshes }: JaegerUiOptions = defaults): string {
  return jsonText({
    // A mesh is one service: there is no architecture of several to draw.
    dependencies: { menuEnabled: false },
    // `monitor` is left alone: to name it is to lose what it says where there are no metrics (Jaeger UI 1.76).
    search: { maxLookback: { label: '7 Days', value: '7d' }, maxLimit: 1_500 },
    topTagPrefixes: ['error.', 'mesh.'],
    menu: [
      ...meshes.flatMap((mesh) => [
        { label: mesh, items: [...searches.map((search) => item(mesh, search)), ...monitor(mesh)] },
        { label: `${mesh} ends`, items: endings.map((search) => item(mesh, search)) },
      ]),
      {
        label: 'tracemesh',
        items: [
          { label: 'Spans and what they mean', url: docs },
          { label: 'The mesh now', url: `${page}/#/topology` },
          { label: 'Its nodes', url: `${page}/#/nodes` },
        ],
      },
    ],
    linkPatterns: [...threadPatterns(), ...pagePatterns(page), ...docsPatterns(docs)].map((pattern) => ({
      ...pattern,
    })),
  })
}

function item(mesh: string, search: Search) {
  return { label: search.label, url: searchUrl(mesh, search), anchorTarget: '_self' }
}

/**
 * Most spans of a mesh are of kind internal, dials are of kind client: newer versions read that from the address, 1.76
 * has its reader choose once.
 */
function monitor(mesh: string) {
  return ['Internal', 'Client'].map((kind) => {
    const query = new URLSearchParams({ service: mesh, spanKind: kind.toLowerCase(), timeframe: '3600000' })
    return { label: `Rates of its spans (kind: ${kind})`, url: `/monitor?${query}`, anchorTarget: '_self' }
  })
}

function threadPatterns(): LinkPattern[] {
  const patterns = threads.map(([key, text]) => ({ type: 'tags', key, text, url: threadUrl(key, key) }) as const)
  const emitted = peers.map(
    (key) => ({ type: 'tags', key, text: 'What this node told', url: threadUrl('mesh.peer.self', key) }) as const,
  )
  return [...patterns, ...emitted]
}

/** All spans of the span's own mesh that have `attribute` as the value of `key` is. */
function threadUrl(attribute: string, key: string): string {
  const [before, after] = [`{"${attribute}":"`, '"}'].map(encodeURIComponent)
  return `/search?service=#{mesh.id}&lookback=7d&start=1&limit=100&tags=${before}#{${key}}${after}`
}

function pagePatterns(page: string): LinkPattern[] {
  const pattern = (type: LinkPattern['type'], key: string): LinkPattern => {
    return { type, key, url: `${page}/#/nodes/#{${key}}`, text: 'This node on the page' }
  }
  return [...peers.map((key) => pattern('tags', key)), pattern('process', 'mesh.node.name')]
}

/** To the span that has it, where there is only one; otherwise to the attribute among all. */
function docsPatterns(docs: string): LinkPattern[] {
  return (Object.keys(attributes) as AttributeName[]).map((key) => {
    const [only, ...more] = spansWith(key)
    const anchor = only === undefined || more.length > 0 ? attributeAnchor(key) : spanAnchor(only)
    const { brief }: AttributeSpec = attributes[key]
    return { type: 'tags', key, url: `${docs}#${anchor}`, text: brief }
  })
}

function docsOf(page: string): string {
  return `${page}/spans`
}

const usage = `usage: node src/dev.js src/catalogue/jaeger-ui.ts [--page URL] [--docs URL] [--mesh NAME]... > ui.json

Writes the configuration of Jaeger's page. --page: an observer's page as a browser reaches it; --docs: where SPANS.md is
to be read (default: the page's /spans); --mesh: a mesh that gets a menu. Exit codes: 0 fine, 2 used wrongly.
`

/** Exit code. */
function main(args: readonly string[]): number {
  try {
    const options = {
      page: { type: 'string' },
      docs: { type: 'string' },
      mesh: { type: 'string', multiple: true },
      help: { type: 'boolean', short: 'h' },
    } as const
    const { values } = parseArgs({ args: [...args], options })
    if (values.help === true) return write(process.stdout, usage, 0)
    const page = url('--page', values.page ?? shipped.page)
    const docs = url('--docs', values.docs ?? docsOf(page))
    return write(process.stdout, renderJaegerUi({ page, docs, meshes: values.mesh ?? shipped.meshes }), 0)
  } catch (error) {
    return write(process.stderr, `${error instanceof Error ? error.message : error}\n${usage}`, 2)
  }
}

/** Without a slash at the end. Throws when it is none. */
function url(flag: string, text: string): string {
  if (/^https?:$/.test(URL.parse(text)?.protocol ?? '')) return text.replace(/\/+$/, '')
  throw new Error(`${flag} is ${text}; expected an http:// or https:// URL`)
}

function write(stream: NodeJS.WriteStream, text: string, code: number): number {
  stream.write(text)
  return code
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2))
