import { execFile } from 'node:child_process'
import { copyFile, glob, mkdir, readFile, rm } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import { promisify } from 'node:util'
import { bundleCommands, root } from './bundle.ts'
import { bundleKit } from './bundle-kit.ts'
import { bundlePage } from './bundle-page.ts'
import { checkDependencies, type Manifest, packageOf, packagesOf, specifiersOf } from './manifest.ts'

/**
 * Builds the published package into `to`: the kit as a bundle that shares libp2p and the API of OpenTelemetry with the
 * application, its types, a separate bundle of the commands, and the page. Outside the clone it copies `package.json`,
 * too.
 *
 * @throws Error when the dependencies of `package.json` are not the packages that the kit imports.
 */
export async function buildPackage(to: string): Promise<void> {
  const dist = join(to, 'dist')
  await rm(dist, { recursive: true, force: true })
  await mkdir(to, { recursive: true })
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Manifest
  const compiler = join(root, 'node_modules/.bin/tsc')
  await promisify(execFile)(compiler, ['-p', 'tsconfig.build.json', '--outDir', dist], { cwd: root })
  const typePackages = await pruneTypes(dist, ['kit/index.d.ts', 'kit/libp2p.d.ts'])
  const bundlePackages = await bundleKit(join(dist, 'kit'), manifest)
  await bundleCommands(join(dist, 'cli'))
  for (const file of ['bin.js', 'launcher.js']) await copyFile(join(root, 'src', file), join(dist, file))
  await bundlePage(join(dist, 'page'))
  checkDependencies(manifest, new Set([...typePackages, ...bundlePackages.map(packageOf)]))
  if (to !== root) await copyFile(join(root, 'package.json'), join(to, 'package.json'))
}

/**
 * Removes the declarations in `directory` that `entries` do not reach: the compiler writes one for each module.
 *
 * @returns The packages whose types the remaining declarations use.
 */
async function pruneTypes(directory: string, entries: readonly string[]): Promise<string[]> {
  const packages = new Set<string>()
  // The loop adds imported files to the set and visits them, too.
  const files = new Set(entries)
  for (const file of files) {
    const source = await readFile(join(directory, file), 'utf8')
    for (const name of packagesOf(source)) packages.add(name)
    for (const specifier of specifiersOf(source).filter((one) => one.startsWith('.')))
      files.add(normalize(join(dirname(file), specifier.replace(/\.[jt]s$/, '.d.ts'))))
  }
  for await (const file of glob('**/*.d.ts', { cwd: directory })) if (!files.has(file)) await rm(join(directory, file))
  return [...packages]
}

if (import.meta.main) await buildPackage(root)
