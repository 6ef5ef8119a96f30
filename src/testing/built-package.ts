import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { buildPackage } from '../publish/build.ts'

export interface BuiltPackage extends AsyncDisposable {
  /** The command of the package, as `npx tracemesh` would start it. */
  readonly bin: string
  /** Of its `package.json`. */
  readonly directory: string
}

const root = resolve(import.meta.dirname, '../..')

/** Builds what would be published, into a directory of its own that finds the clone's dependencies. */
export async function builtPackage(): Promise<BuiltPackage> {
  const parent = join(root, '.tracemesh')
  await mkdir(parent, { recursive: true })
  const directory = await mkdtemp(join(parent, 'package-'))
  const remove = () => rm(directory, { recursive: true, force: true })
  try {
    await buildPackage(directory)
  } catch (error) {
    await remove()
    throw error
  }
  return { bin: join(directory, 'dist/bin.js'), directory, [Symbol.asyncDispose]: remove }
}
