import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { AttributeSpec } from './attribute-spec.ts'
import { type AttributeName, attributes } from './attributes.ts'
import { endings, type Search, searches, searchUrl } from './searches.ts'
import { attributeAnchor, spanAnchor, spansWith } from './span-index.ts'
import { jsonText } from './text-formats.ts'

/** The committed configuration of Jaeger's page; `npm run generate` writes it. */
export const jaegerUiPage = fileURLToPath(new URL('../../jaeger/ui.json', import.meta.url))

interface JaegerUiOptions {
  /** URL of the page of an observer or a lab, for a browser. */
  readonly page: string
  /** URL of SPANS.md, in any form with the same anchors. */
  readonly docs: string
  /** Meshes with a menu of searches: Jaeger searches one service at a time. */
  readonly meshes: readonly string[]
}

/** Page to which the shipped configuration links: an observer's on loopback, which also documents the spans. */
export const linkedPage = 'http://127.0.0.1:16680'
const shipped = { page: linkedPage, meshes: ['mesh-a', 'mesh-b'] }
const defaults: JaegerUiOptions = { ...shipped, docs: docsOf(shipped.page) }

/** Turns an attribute value into a link; `#{key}` is the value of an attribute on the span or one of its ancestors. */
interface LinkPattern {
  readonly type: 'tags' | 'process'
  readonly key: string
  readonly url: string
  readonly text: string
}

/** Ids, each with the label of the search for all spans that share it. */
const threads = [
  ['mesh.link.id', 'All spans of this link, both ends'],
  ['mesh.message.id', 'All spans of this message'],
  ['mesh.seed.address', 'All campaigns for this seed'],
  ['mesh.connection.id', 'All spans of this connection'],
] as const satisfies readonly (readonly [AttributeName, string])[]

const peers = ['mesh.peer.id', 'mesh.origin.peer'] as const satisfies readonly AttributeName[]

/** Configuration of Jaeger's page: menus of searches, links from attributes, a week of lookback. */
export function renderJaegerUi({ page, docs, meshes }: JaegerUiOptions = defaults): string {
  return jsonText({
    // A mesh is one service: there are no dependencies to draw.
    dependencies: { menuEnabled: false },
    // `monitor` stays unset: setting it removes its help text where there are no metrics (Jaeger UI 1.76).
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
          { label: 'Documentation of the spans', url: docs },
          { label: 'Live mesh', url: `${page}/#/topology` },
          { label: 'Nodes', url: `${page}/#/nodes` },
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
 * Links to the Monitor tab, one per kind of span, since the tab shows one at a time. Newer versions read the kind from
 * the URL; in 1.76 the user has to select it once.
 */
function monitor(mesh: string) {
  return ['Internal', 'Client', 'Server', 'Producer', 'Consumer'].map((kind) => {
    const query = new URLSearchParams({ service: mesh, spanKind: kind.toLowerCase(), timeframe: '3600000' })
    return { label: `Span rates (kind: ${kind})`, url: `/monitor?${query}`, anchorTarget: '_self' }
  })
}

function threadPatterns(): LinkPattern[] {
  const patterns = threads.map(([key, text]) => ({ type: 'tags', key, text, url: threadUrl(key, key) }) as const)
  const emitted = peers.map(
    (key) => ({ type: 'tags', key, text: 'All spans of this node', url: threadUrl('mesh.peer.self', key) }) as const,
  )
  return [...patterns, ...emitted]
}

/** Searches the mesh of the span for spans whose `attribute` equals its value of `key`. */
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

/** Links to the only span with the attribute, or else to the attribute index. */
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

Writes the configuration of Jaeger's page. --page: URL of an observer's page for a browser; --docs: URL of SPANS.md
(default: /spans of the page); --mesh: add a menu for this mesh. Exit codes: 0 fine, 2 usage error.
`

/** Returns the exit code. */
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

/** Validates a URL and drops trailing slashes. Throws for other text. */
function url(flag: string, text: string): string {
  if (/^https?:$/.test(URL.parse(text)?.protocol ?? '')) return text.replace(/\/+$/, '')
  throw new Error(`${flag} is ${text}; expected an http:// or https:// URL`)
}

function write(stream: NodeJS.WriteStream, text: string, code: number): number {
  stream.write(text)
  return code
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2))
