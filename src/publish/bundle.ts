import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild'
import { licences } from './licences.ts'
import { withEsbuild } from './with-esbuild.ts'

/** CommonJS packages in the bundle ask for Node's own modules by `require`, which a module does not have. */
export const banner = `import { createRequire as tracemeshRequire } from 'node:module'; const require = tracemeshRequire(import.meta.url);`

/** Source of a dependency that looks for a package at run time, from its own file: there is none in a bundle. */
interface Rewrite {
  readonly file: RegExp
  readonly from: string
  readonly to: string
}

/** Loaded late to keep start-up short; left as it is, gRPC would be loaded beside the bundle’s. */
export const eagerGrpc: Rewrite = {
  file: /otlp-grpc-exporter-base[\\/]dist[\\/][\w-]+\.mjs$/,
  from: '__require("@grpc/grpc-js")',
  to: 'require("@grpc/grpc-js")',
}

/** The native library is a dependency of the QUIC transport, which may be the only one that sees it. */
const quicNative: Rewrite = {
  file: /libp2p[\\/]quic[\\/]dist[\\/]src[\\/]napi\.js$/,
  from: 'createRequire(import.meta.url)',
  to: "createRequire(import.meta.resolve('@libp2p/quic'))",
}

/**
 * Writes the commands as a few modules into `directory`. A node of the bundle holds about 15 MiB less: module
 * records, unused exports and white space are what it leaves out. Names are kept, for stack traces.
 * `entry`: another program to bundle alike, as `main.js` too.
 *
 * @throws Error when a dependency no longer has the source that is rewritten, or the bundle would load another package.
 */
export async function bundleCommands(root: string, directory: string, entry = 'src/commands/main.ts'): Promise<void> {
  const { plugin, check } = createRewriter([eagerGrpc, quicNative])
  const options = {
    absWorkingDir: root,
    entryPoints: { main: entry },
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
  } as const satisfies BuildOptions
  const { metafile } = await withEsbuild(() => build(options))
  check()
  const externals = externalsOf(metafile)
  if (externals.length > 0) throw new Error(`the bundle of the commands loads ${externals.join(' and ')}`)
  await mkdir(directory, { recursive: true })
  // Read at run time, from beside the module that asks for it.
  await copyFile(join(root, 'src/store/otlp.proto'), join(directory, 'otlp.proto'))
  await writeFile(join(directory, 'LICENCES.txt'), await licences(Object.keys(metafile.inputs), root))
}

/** Packages that a bundle leaves outside, and loads when it runs. */
export function externalsOf({ outputs }: Metafile): string[] {
  const imported = Object.values(outputs).flatMap(({ imports }) => imports)
  const names = imported.filter(({ external, path }) => external === true && !isBuiltin(path)).map(({ path }) => path)
  return [...new Set(names)].sort()
}

/** `check` throws when one of `rewrites` found nothing to rewrite. */
export function createRewriter(rewrites: readonly Rewrite[]): { readonly plugin: Plugin; readonly check: () => void } {
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
