import { execFile } from 'node:child_process'
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { bundleCommands } from './bundle.ts'
import { bundleKit } from './bundle-kit.ts'
import { bundlePage } from './bundle-page.ts'
import { type Manifest, packageOf, publishedManifest } from './manifest.ts'
import { pruneTypes } from './types.ts'

const root = resolve(import.meta.dirname, '../..')

/**
 * Builds the published package into `to`: the kit as a bundle that shares libp2p and the API of OpenTelemetry with the
 * application, its types, a separate bundle of the commands, and the page. Outside the clone it writes the manifest,
 * too.
 *
 * @returns The manifest to publish.
 */
export async function buildPackage(to: string): Promise<Manifest> {
  const dist = join(to, 'dist')
  await rm(dist, { recursive: true, force: true })
  await mkdir(to, { recursive: true })
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Manifest
  const declared = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
  const compiler = join(root, 'node_modules/.bin/tsc')
  await promisify(execFile)(compiler, ['-p', 'tsconfig.build.json', '--outDir', dist], { cwd: root })
  const typePackages = await pruneTypes(dist, ['kit/index.d.ts', 'kit/libp2p.d.ts'])
  const bundlePackages = await bundleKit(root, join(dist, 'kit'), declared)
  await bundleCommands(root, join(dist, 'cli'))
  for (const file of ['bin.js', 'launcher.js']) await copyFile(join(root, 'src', file), join(dist, file))
  await bundlePage(join(dist, 'page'))
  const publishedPackage = publishedManifest(manifest, new Set([...typePackages, ...bundlePackages.map(packageOf)]))
  if (to !== root) await writeFile(join(to, 'package.json'), JSON.stringify(publishedPackage))
  return publishedPackage
}

if (import.meta.main) await buildPackage(root)
