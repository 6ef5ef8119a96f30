import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { bundleCommands } from '../publish/bundle.ts'

export interface OurBundle extends AsyncDisposable {
  /** Path of a mesh node program that speaks the bench protocol. */
  readonly entry: string
}

const root = resolve(import.meta.dirname, '../..')

/** Bundles a mesh node like the published commands, into a directory that resolves the clone's dependencies. */
export async function ourBundle(): Promise<OurBundle> {
  const parent = join(root, '.tracemesh')
  await mkdir(parent, { recursive: true })
  const directory = await mkdtemp(join(parent, 'bench-'))
  const remove = () => rm(directory, { recursive: true, force: true })
  try {
    await bundleCommands(root, join(directory, 'dist/cli'), 'src/bench/our-peer.ts')
    await copyFile(join(root, 'package.json'), join(directory, 'package.json'))
  } catch (error) {
    await remove()
    throw error
  }
  return { entry: join(directory, 'dist/cli/main.js'), [Symbol.asyncDispose]: remove }
}
