import { existsSync } from 'node:fs'
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { buildPackage } from './build.ts'

// `npm pack` packs the clone's own package.json, which declares dependencies that the build has bundled. So the
// published manifest replaces it while npm packs, and the original is in `.tracemesh`.

const root = resolve(import.meta.dirname, '../..')
const manifest = join(root, 'package.json')
const backup = join(root, '.tracemesh/package.json')

/** Restores the original, also after an interrupted `npm pack`. */
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

/** `npm publish` in a clone would send the manifest of the clone to the registry. */
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
