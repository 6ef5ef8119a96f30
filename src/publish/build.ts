import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { bundleCommands } from './bundle.ts'
import { bundlePage } from './bundle-page.ts'
import { bundleSdk } from './bundle-sdk.ts'
import { importedPackages, publishedManifest } from './manifest.ts'

const root = resolve(import.meta.dirname, '../..')

/**
 * Builds what is published into `to`: the kit as modules with types, since an application shares libp2p and the API of
 * OpenTelemetry with it; the SDK as a bundle, since it does not; the commands as one bundle, which is a process of their
 * own; and the page that they serve. Elsewhere than in the clone the manifest, too.
 */
export async function buildPackage(to: string): Promise<void> {
  await rm(join(to, 'dist'), { recursive: true, force: true })
  await mkdir(to, { recursive: true })
  const compiler = join(root, 'node_modules/.bin/tsc')
  await promisify(execFile)(compiler, ['-p', 'tsconfig.build.json', '--outDir', join(to, 'dist')], { cwd: root })
  await bundleSdk(root, join(to, 'dist/telemetry/sdk.js'))
  await bundleCommands(root, join(to, 'dist/cli'))
  await bundlePage(join(to, 'dist/page'))
  if (to === root) return
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const published = publishedManifest(manifest, await importedPackages(join(to, 'dist')))
  await writeFile(join(to, 'package.json'), JSON.stringify(published))
}

if (import.meta.main) await buildPackage(root)
