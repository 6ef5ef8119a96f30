import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { join, resolve } from 'node:path'
import { type BuildOptions, build, type Metafile, type Plugin, stop } from 'esbuild'

/** The directory of the clone. */
export const root = resolve(import.meta.dirname, '../..')

/** CommonJS packages in the bundle load Node's built-in modules by `require`, which an ES module does not have. */
const banner = `import { createRequire as tracemeshRequire } from 'node:module'; const require = tracemeshRequire(import.meta.url);`

/** A replacement in a dependency that resolves a package from its own file at run time: a bundle has no such file. */
interface Rewrite {
  readonly file: RegExp
  readonly from: string
  readonly to: string
}

/** The exporter loads gRPC lazily; without the rewrite it would load a second copy beside the bundled one. */
export const eagerGrpc: Rewrite = {
  file: /otlp-grpc-exporter-base[\\/]dist[\\/][\w-]+\.mjs$/,
  from: '__require("@grpc/grpc-js")',
  to: 'require("@grpc/grpc-js")',
}

/** The native library is a dependency of the QUIC transport, and may be resolvable only from there. */
const quicNative: Rewrite = {
  file: /libp2p[\\/]quic[\\/]dist[\\/]src[\\/]napi\.js$/,
  from: 'createRequire(import.meta.url)',
  to: "createRequire(import.meta.resolve('@libp2p/quic'))",
}

/**
 * Bundles the commands into a few modules in `directory`. A node of the bundle takes about 15 MiB less memory: the
 * bundle has no module records per file, no unused exports and no white space. It keeps names for stack traces.
 * `entry`: another program to bundle in the same way, also as `main.js`. `further`: more programs, by the names of
 * their bundles.
 *
 * @throws Error when a rewrite finds no match, or when the bundle would load another package.
 */
export async function bundleCommands(
  directory: string,
  entry = 'src/commands/main.ts',
  further: Readonly<Record<string, string>> = {},
): Promise<void> {
  // A thread has a program of its own.
  const threads = { 'doctor-worker': 'src/page/doctor-worker.ts' }
  const metafile = await bundleForNode({ main: entry, ...threads, ...further }, directory, [eagerGrpc, quicNative])
  const externals = externalsOf(metafile)
  if (externals.length > 0) throw new Error(`the bundle of the commands loads ${externals.join(' and ')}`)
  // The store reads the file at run time, from the directory of its module.
  await copyFile(join(root, 'src/store/otlp.proto'), join(directory, 'otlp.proto'))
}

/**
 * Bundles programs for Node.js into `directory`, with the licences of the bundled packages. `entryPoints`: sources in
 * the clone by the names of their bundles. `further`: options of this bundle alone.
 *
 * @throws Error when a rewrite finds no match.
 */
export async function bundleForNode(
  entryPoints: Readonly<Record<string, string>>,
  directory: string,
  rewrites: readonly Rewrite[],
  further: Pick<BuildOptions, 'external' | 'lineLimit'> = {},
): Promise<Metafile> {
  const { plugin, check } = createRewriter(rewrites)
  const options = {
    absWorkingDir: root,
    entryPoints,
    outdir: directory,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22.15',
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    banner: { js: banner },
    plugins: [plugin],
    metafile: true,
    logLevel: 'warning',
    ...further,
  } as const satisfies BuildOptions
  const { metafile } = await withEsbuild(() => build(options))
  check()
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'LICENCES.txt'), await licences(metafile))
  return metafile
}

let runningBuilds = 0

/**
 * Runs `build`, and stops esbuild's service after the last concurrent build of this process. A running service would
 * keep the process alive, and stopping it after each build would break a concurrent build.
 */
export async function withEsbuild<T>(build: () => Promise<T>): Promise<T> {
  runningBuilds += 1
  try {
    return await build()
  } finally {
    runningBuilds -= 1
    if (runningBuilds === 0) await stop()
  }
}

/** Packages that a bundle imports at run time. */
export function externalsOf({ outputs }: Metafile): string[] {
  const imported = Object.values(outputs).flatMap(({ imports }) => imports)
  const names = imported.filter(({ external, path }) => external === true && !isBuiltin(path)).map(({ path }) => path)
  return [...new Set(names)].sort()
}

/** Creates an esbuild plugin for `rewrites`; `check` throws when one of them had no match. */
function createRewriter(rewrites: readonly Rewrite[]): { readonly plugin: Plugin; readonly check: () => void } {
  const applied = new Set<Rewrite>()
  const plugin: Plugin = {
    name: 'rewrite',
    setup({ onLoad }) {
      for (const rewrite of rewrites) {
        onLoad({ filter: rewrite.file }, async ({ path }) => {
          const text = await readFile(path, 'utf8')
          if (text.includes(rewrite.from)) applied.add(rewrite)
          return { contents: text.replaceAll(rewrite.from, rewrite.to), loader: 'js' }
        })
      }
    },
  }
  const check = () => {
    const unusedRewrites = rewrites.filter((rewrite) => !applied.has(rewrite))
    if (unusedRewrites.length > 0)
      throw new Error(`nothing to rewrite: ${unusedRewrites.map(({ from }) => from).join(' and ')}`)
  }
  return { plugin, check }
}

/** The licences of the packages whose files are in a bundle, as one text. */
export async function licences({ inputs }: Metafile): Promise<string> {
  const ownPath = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//
  const directories = new Set(Object.keys(inputs).flatMap((file) => ownPath.exec(file)?.[1] ?? []))
  const texts = await Promise.all([...directories].sort().map((directory) => licence(join(root, directory))))
  return texts.join(`\n${'-'.repeat(80)}\n`)
}

async function licence(directory: string): Promise<string> {
  const { name, version, license } = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8'))
  const entries = await readdir(directory, { withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && /^(licen[cs]e|copying|notice)/i.test(entry.name))
  const names = files.map((entry) => entry.name).sort()
  const texts = await Promise.all(names.map((file) => readFile(join(directory, file), 'utf8')))
  return [`${name} ${version}: ${license ?? 'see below'}\n`, ...texts].join('\n')
}
