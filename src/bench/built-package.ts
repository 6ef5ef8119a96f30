import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

export interface BuiltPackage extends AsyncDisposable {
  /** The command of the package, as `npx tracemesh` would start it. */
  readonly bin: string
}

const root = resolve(import.meta.dirname, '../..')

/** Compiles the clone as it would be published, into a directory of its own that finds the clone's dependencies. */
export async function buildPackage(): Promise<BuiltPackage> {
  const parent = join(root, '.tracemesh')
  await mkdir(parent, { recursive: true })
  const directory = await mkdtemp(join(parent, 'package-'))
  const remove = () => rm(directory, { recursive: true, force: true })
  const compiler = join(root, 'node_modules/.bin/tsc')
  try {
    const args = ['-p', 'tsconfig.build.json', '--declaration', 'false', '--outDir', join(directory, 'dist')]
    await promisify(execFile)(compiler, args, { cwd: root })
    await copyFile(join(root, 'package.json'), join(directory, 'package.json'))
  } catch (error) {
    await remove()
    throw error
  }
  return { bin: join(directory, 'dist/bin.js'), [Symbol.asyncDispose]: remove }
}
