import { writeFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { type BuildOptions, build, type Metafile } from 'esbuild'
import { banner, createRewriter, eagerGrpc, externalsOf } from './bundle.ts'
import { licences } from './licences.ts'
import { withEsbuild } from './with-esbuild.ts'

/**
 * What the kit brings inside. SDK 3 of OpenTelemetry demands an API of 1.10, SDK 1 and 2 one below that: as
 * dependencies they could not be installed together. What SDK 3 uses of the API is there in 1.9 too. Of zod the kit uses
 * a part, and a package is loaded as a whole.
 */
const bundledPackages = ['zod', '@opentelemetry/sdk-node', '@opentelemetry/exporter-trace-otlp-grpc']

/**
 * All that `tracemesh` may load when it is imported: what libp2p has loaded anyway, the API, and one file of gossipsub
 * with the format of its messages. Transports and gossipsub itself are the application's choice, and theirs to hold.
 */
const allowedPackages = [
  '@chainsafe/libp2p-gossipsub/message',
  '@libp2p/crypto/keys',
  '@libp2p/interface',
  '@libp2p/peer-id',
  '@libp2p/utils',
  '@multiformats/multiaddr',
  '@opentelemetry/api',
]

/**
 * Bundles the kit into `directory`: `index.js` and `libp2p.js` with the chunks that both share, so that every class and
 * symbol exists once, and the SDK of OpenTelemetry with gRPC in a chunk that is loaded when spans are to be exported. An
 * application holds 8 MiB less than with a file per module. Names are kept, for stack traces.
 *
 * @param declared Packages that are installed with the kit, or by the application.
 * @returns The packages that the bundle loads.
 * @throws Error when `index.js` would load more than it may.
 */
export async function bundleKit(root: string, directory: string, declared: readonly string[]): Promise<string[]> {
  const { plugin, check } = createRewriter([eagerGrpc])
  const options = {
    absWorkingDir: root,
    entryPoints: { index: 'src/kit/index.ts', libp2p: 'src/kit/libp2p.ts' },
    outdir: directory,
    bundle: true,
    splitting: true,
    external: declared.filter((name) => !bundledPackages.includes(name)),
    format: 'esm',
    platform: 'node',
    target: 'node22.15',
    minifyWhitespace: true,
    minifySyntax: true,
    // Node.js shows the line that threw an error that nobody caught: in one line that would be the whole kit.
    lineLimit: 120,
    legalComments: 'none',
    banner: { js: banner },
    plugins: [plugin],
    metafile: true,
    logLevel: 'warning',
  } as const satisfies BuildOptions
  const { metafile } = await withEsbuild(() => build(options))
  check()
  const forbidden = forbiddenPackages(metafile, 'src/kit/index.ts')
  if (forbidden.length > 0) throw new Error(`the kit would load ${forbidden.join(' and ')}`)
  const classicZod = findClassicZod(metafile)
  if (classicZod !== undefined) throw new Error(`the kit would hold ${classicZod}: make its schemas by zod/mini`)
  await writeFile(join(directory, 'LICENCES.txt'), await licences(Object.keys(metafile.inputs), root))
  return externalsOf(metafile)
}

/**
 * A file of zod's own schemas, if the bundle has one. Each collection of garbage in the application walks through all that
 * the kit holds: its entry brought 27,000 objects with schemas of `zod`, and brings 19,000 with those of `zod/mini`.
 */
export function findClassicZod({ inputs }: { readonly inputs: object }): string | undefined {
  return Object.keys(inputs).find((input) => /[\\/]zod[\\/]v4[\\/]classic[\\/]/.test(input))
}

/** Packages that are loaded with the output of `entry` and may not be. */
export function forbiddenPackages(metafile: Pick<Metafile, 'outputs'>, entry: string): string[] {
  return packagesLoadedBy(metafile, entry).filter((name) => !allowedPackages.includes(name))
}

/** Packages that are loaded with the output of `entry`, without what it may import later by `import()`. */
export function packagesLoadedBy({ outputs }: Pick<Metafile, 'outputs'>, entry: string): string[] {
  const [entryFile] = Object.entries(outputs).find(([, { entryPoint }]) => entryPoint === entry) ?? []
  if (entryFile === undefined) throw new Error(`nothing was built from ${entry}`)
  const packages = new Set<string>()
  // Chunks that are found on the way are added to the set, and visited in their turn.
  const files = new Set([entryFile])
  for (const file of files) {
    for (const { path, kind, external } of outputs[file]?.imports ?? []) {
      if (kind === 'dynamic-import' || isBuiltin(path)) continue
      if (external === true) packages.add(path)
      else files.add(path)
    }
  }
  return [...packages].sort()
}
