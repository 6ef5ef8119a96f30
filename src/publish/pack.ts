import { existsSync } from 'node:fs'
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { buildPackage } from './build.ts'

// `npm pack` packs the clone's own package.json, and that names dependencies which the build has bundled. So the
// published manifest takes its place for as long as npm packs, and the original waits in `.tracemesh`.

const root = resolve(import.meta.dirname, '../..')
const manifest = join(root, 'package.json')
const backup = join(root, '.tracemesh/package.json')

/** Puts the original back; it may still wait from an `npm pack` that was interrupted. */
async function restore(): Promise<void> {
  if (!existsSync(backup)) return
  await copyFile(backup, manifest)
  await rm(backup)
}

async function prepare(): Promise<void> {
  await restore()
  const published = await buildPackage(root)
  const original = await readFile(manifest, 'utf8')
  await mkdir(dirname(backup), { recursive: true })
  await writeFile(backup, original)
  await writeFile(manifest, `${JSON.stringify(published, undefined, 2)}\n`)
}

/** npm would give the registry the manifest of the clone, whatever is in the tarball. */
function refusePublish(): void {
  process.stderr.write('publish the packed package: npm pack && npm publish tracemesh-*.tgz\n')
  process.exitCode = 1
}

const steps: Readonly<Record<string, () => void | Promise<void>>> = {
  prepack: prepare,
  postpack: restore,
  prepublishOnly: refusePublish,
}

await steps[process.argv[2] ?? '']?.()
