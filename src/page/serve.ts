import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { MeshError } from '../core/errors.ts'
import type { PageFile } from '../publish/bundle-page.ts'
import { renderSpanDocs } from './span-docs.ts'

/** No other origins, nothing inline: names and messages of peers stay text. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const headers = {
  'content-security-policy': policy,
  'cache-control': 'no-cache',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
}

/**
 * Registers the page: `/`, `/app.js`, `/app.css`, `/icon.svg`, and `/spans`, which documents the spans. They contain no
 * data of a mesh, so a server with a token may leave them open (`config.open`); the page asks the user for the token.
 *
 * @throws MESH_PAGE_MISSING if the page is not published with this program and a clone cannot build it.
 */
export async function pageRoutes(app: FastifyInstance): Promise<void> {
  app.get('/spans', { config: { open: true } }, (_request, reply) =>
    reply.headers({ ...headers, 'content-type': 'text/html; charset=utf-8' }).send(renderSpanDocs()),
  )
  for (const { path, type, etag, plain, gzipped } of await pageAssets()) {
    app.get(path, { config: { open: true } }, (request, reply) => {
      reply.headers({ ...headers, 'content-type': type, vary: 'accept-encoding', etag })
      if (request.headers['if-none-match'] === etag) return reply.code(304).send()
      return acceptsGzip(request) ? reply.header('content-encoding', 'gzip').send(gzipped) : reply.send(plain)
    })
  }
}

export function acceptsGzip({ headers }: Pick<FastifyRequest, 'headers'>): boolean {
  return /\bgzip\b/.test(String(headers['accept-encoding'] ?? ''))
}

/** A file of the page, ready to send. */
interface Asset {
  readonly path: string
  readonly type: string
  readonly etag: string
  readonly plain: Buffer
  readonly gzipped: Buffer
}

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
}

/** In a package `dist/page`, beside the `dist/cli` of this module. A clone has no `app.js` there. */
const publishedDirectory = new URL('../page/', import.meta.url)
/** In a clone, which builds the page on demand. A URL instead of an import: a bundle would include the bundler. */
const bundler = new URL('../publish/bundle-page.ts', import.meta.url)

/**
 * The files of the page: published with this program, or built now from a clone.
 *
 * @throws MESH_PAGE_MISSING if there is neither.
 */
export async function pageAssets(): Promise<readonly Asset[]> {
  const files = existsSync(new URL('app.js', publishedDirectory))
    ? await readFiles(fileURLToPath(publishedDirectory))
    : await buildFiles()
  return Promise.all(files.map(toAsset))
}

async function readFiles(directory: string): Promise<readonly PageFile[]> {
  const names = await readdir(directory)
  const pageNames = names.filter((name) => typeOf(name) !== undefined)
  return Promise.all(pageNames.map(async (name) => ({ name, bytes: await readFile(`${directory}/${name}`) })))
}

async function buildFiles(): Promise<readonly PageFile[]> {
  if (!existsSync(bundler)) throw new MeshError('MESH_PAGE_MISSING', { directory: fileURLToPath(publishedDirectory) })
  const { pageFiles } = (await import(bundler.href)) as typeof import('../publish/bundle-page.ts')
  return pageFiles()
}

async function toAsset({ name, bytes }: PageFile): Promise<Asset> {
  const plain = Buffer.from(bytes)
  return {
    path: name === 'index.html' ? '/' : `/${name}`,
    type: typeOf(name) ?? 'application/octet-stream',
    etag: `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`,
    plain,
    gzipped: await promisify(gzip)(plain),
  }
}

function typeOf(name: string): string | undefined {
  return types[name.slice(name.lastIndexOf('.') + 1)]
}
