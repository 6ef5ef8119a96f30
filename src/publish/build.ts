import { execFile } from 'node:child_process'
import { copyFile, mkdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { bundleCommands } from './bundle.ts'
import { bundlePage } from './bundle-page.ts'

const root = resolve(import.meta.dirname, '../..')

/**
 * Builds what is published into `to`: the kit as modules with types, since an application shares libp2p and
 * OpenTelemetry with it; the commands as one bundle, which is a process of their own; and the page that they serve.
 */
export async function buildPackage(to: string): Promise<void> {
  await rm(join(to, 'dist'), { recursive: true, force: true })
  await mkdir(to, { recursive: true })
  const compiler = join(root, 'node_modules/.bin/tsc')
  await promisify(execFile)(compiler, ['-p', 'tsconfig.build.json', '--outDir', join(to, 'dist')], { cwd: root })
  await bundleCommands(root, join(to, 'dist/cli'))
  await bundlePage(join(to, 'dist/page'))
  if (to !== root) await copyFile(join(root, 'package.json'), join(to, 'package.json'))
}

if (import.meta.main) await buildPackage(root)
