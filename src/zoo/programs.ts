import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { bundleCommands, root } from '../publish/bundle.ts'

/** The programs of a scene, as files that Node.js runs. */
export interface Programs extends AsyncDisposable {
  readonly node: string
  readonly guests: string
  /** From outside the kit, which embeds it. */
  readonly application: string
}

/** Bundles the programs, as the published package is: a process then starts in a third of the time. */
export async function bundlePrograms(): Promise<Programs> {
  const parent = join(root, '.tracemesh')
  await mkdir(parent, { recursive: true })
  // In the clone, where the bundle finds the native library, and in the layout of the package.
  const directory = await mkdtemp(join(parent, 'tracemesh-zoo-'))
  await copyFile(join(root, 'package.json'), join(directory, 'package.json'))
  const bundles = join(directory, 'dist/cli')
  await bundleCommands(bundles, 'src/zoo/zoo-node.ts', {
    guests: 'src/zoo/guests.ts',
    application: 'src/zoo/outside/application.ts',
  })
  return {
    node: join(bundles, 'main.js'),
    guests: join(bundles, 'guests.js'),
    application: join(bundles, 'application.js'),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}
