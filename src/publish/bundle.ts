import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild'
import { licences } from './licences.ts'
import { withEsbuild } from './with-esbuild.ts'

/** CommonJS packages in the bundle load Node's built-in modules by `require`, which an ES module does not have. */
export const banner = `import { createRequire as tracemeshRequire } from 'node:module'; const require = tracemeshRequire(import.meta.url);`

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
 * `entry`: another program to bundle in the same way, also as `main.js`.
 *
 * @throws Error when a rewrite finds no match, or when the bundle would load another package.
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
  // The store reads the file at run time, from the directory of its module.
  await copyFile(join(root, 'src/store/otlp.proto'), join(directory, 'otlp.proto'))
  await writeFile(join(directory, 'LICENCES.txt'), await licences(Object.keys(metafile.inputs), root))
}

/** Packages that a bundle imports at run time. */
export function externalsOf({ outputs }: Metafile): string[] {
  const imported = Object.values(outputs).flatMap(({ imports }) => imports)
  const names = imported.filter(({ external, path }) => external === true && !isBuiltin(path)).map(({ path }) => path)
  return [...new Set(names)].sort()
}

/** Creates an esbuild plugin for `rewrites`; `check` throws when one of them had no match. */
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
