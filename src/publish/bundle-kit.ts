import { isBuiltin } from 'node:module'
import type { Metafile } from 'esbuild'
import { bundleForNode, eagerGrpc, externalsOf } from './bundle.ts'
import type { Manifest } from './manifest.ts'

/**
 * Packages of `package.json` that the kit bundles. SDK 3 of OpenTelemetry requires API 1.10, SDK 1 and 2 an older one:
 * as dependencies they could not be installed together. The parts of the API that SDK 3 uses exist in 1.9, too. The kit
 * uses only a part of zod, and importing the package would load all of it.
 */
const bundledPackages = /^(?:zod|@grpc\/.*|@opentelemetry\/(?!api$).*)$/

/**
 * Packages that `tracemesh` may load at import: those that libp2p loads anyway, the API, and the message format of
 * gossipsub. The application chooses and loads transports and gossipsub.
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
 * Bundles the kit into `directory`: `index.js` and `libp2p.js` with shared chunks, so that every class and symbol
 * exists once, and the SDK of OpenTelemetry with gRPC in a lazy chunk for the export. An application takes 8 MiB less
 * memory than with a file per module. The bundle keeps names for stack traces.
 *
 * @returns The packages that the bundle loads.
 * @throws Error when `index.js` would load more than it may.
 */
export async function bundleKit(directory: string, manifest: Manifest): Promise<string[]> {
  const declared = { ...manifest.devDependencies, ...manifest.dependencies, ...manifest.peerDependencies }
  const entryPoints = { index: 'src/kit/index.ts', libp2p: 'src/kit/libp2p.ts' }
  const metafile = await bundleForNode(entryPoints, directory, [eagerGrpc], {
    external: Object.keys(declared).filter((name) => !bundledPackages.test(name)),
    // Node.js prints the source line of an uncaught error: without a limit it would print the entire kit.
    lineLimit: 120,
  })
  const forbidden = forbiddenPackages(metafile, entryPoints.index)
  if (forbidden.length > 0) throw new Error(`the kit would load ${forbidden.join(' and ')}`)
  const classicZod = findClassicZod(metafile)
  if (classicZod !== undefined) throw new Error(`the kit would include ${classicZod}: use zod/mini for its schemas`)
  return externalsOf(metafile)
}

/**
 * Finds a file of zod's classic schemas in the bundle. Each garbage collection of the application traverses all objects
 * of the kit: its entry created 27,000 objects with schemas of `zod`, and creates 19,000 with those of `zod/mini`.
 */
export function findClassicZod({ inputs }: { readonly inputs: object }): string | undefined {
  return Object.keys(inputs).find((input) => /[\\/]zod[\\/]v4[\\/]classic[\\/]/.test(input))
}

/** Packages that the output of `entry` loads and must not load. */
export function forbiddenPackages(metafile: Pick<Metafile, 'outputs'>, entry: string): string[] {
  return packagesLoadedBy(metafile, entry).filter((name) => !allowedPackages.includes(name))
}

/** Packages that the output of `entry` loads statically, without those of `import()`. */
export function packagesLoadedBy({ outputs }: Pick<Metafile, 'outputs'>, entry: string): string[] {
  const [entryFile] = Object.entries(outputs).find(([, { entryPoint }]) => entryPoint === entry) ?? []
  if (entryFile === undefined) throw new Error(`nothing was built from ${entry}`)
  const packages = new Set<string>()
  // The loop adds imported chunks to the set and visits them, too.
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
