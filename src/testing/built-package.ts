import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { buildPackage } from '../publish/build.ts'

export interface BuiltPackage extends AsyncDisposable {
  /** The command of the package, which `npx tracemesh` starts. */
  readonly bin: string
  /** Where its `package.json` is. */
  readonly directory: string
}

const root = resolve(import.meta.dirname, '../..')

/** Builds the package as published, in a temporary directory inside the clone, so that it finds its dependencies. */
export async function buildTestPackage(): Promise<BuiltPackage> {
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
