import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What a lab keeps on disk while it runs, and the program that its processes run. */
export interface Workspace {
  readonly directory: string
  /** Module that takes `node …` and `store …`. */
  readonly entry: string
  /** Removes all of it, at once. */
  remove(): void
}

/** A clone holds TypeScript here, a published package one bundle of it. */
const clone = fileURLToPath(new URL('../../', import.meta.url))
const bundlers = {
  commands: new URL('../publish/bundle.ts', import.meta.url),
  page: new URL('../publish/bundle-page.ts', import.meta.url),
}
const prefix = 'tracemesh-lab-'
const ownerFile = 'pid'

/**
 * A directory of this lab's own; what labs that crashed have left is removed on the way. In a clone the commands are
 * bundled into it: a process of a bundle starts in a third of the time and takes 35 MiB less than one of the sources.
 */
export async function makeWorkspace(): Promise<Workspace> {
  const inClone = import.meta.filename.endsWith('.ts')
  const parent = inClone ? join(clone, '.tracemesh') : tmpdir()
  await mkdir(parent, { recursive: true })
  removeStale(parent)
  const directory = await mkdtemp(join(parent, prefix))
  const remove = () => rmSync(directory, { recursive: true, force: true, maxRetries: 2 })
  try {
    await writeFile(join(directory, ownerFile), String(process.pid))
    const entry = inClone ? await bundle(directory) : (process.argv[1] ?? '')
    return { directory, entry, remove }
  } catch (error) {
    remove()
    throw error
  }
}

/** As in the published package, since the commands look for its description and for the page from where they are. */
async function bundle(directory: string): Promise<string> {
  // Not spelt as imports: a bundle would take the bundler along.
  const { bundleCommands } = (await import(bundlers.commands.href)) as typeof import('../publish/bundle.ts')
  const { bundlePage } = (await import(bundlers.page.href)) as typeof import('../publish/bundle-page.ts')
  await copyFile(join(clone, 'package.json'), join(directory, 'package.json'))
  await bundleCommands(clone, join(directory, 'dist/cli'))
  await bundlePage(join(directory, 'dist/page'))
  return join(directory, 'dist/cli/main.js')
}

function removeStale(parent: string): void {
  for (const name of readdirSync(parent)) {
    const directory = join(parent, name)
    if (name.startsWith(prefix) && !isInUse(directory)) rmSync(directory, { recursive: true, force: true })
  }
}

/** One without a process id is being made or removed right now, or is somebody else's: it stays. */
function isInUse(directory: string): boolean {
  const text = ownerOf(directory)
  if (text === '') return true
  const pid = Number(text)
  try {
    return Number.isSafeInteger(pid) && pid > 0 && process.kill(pid, 0)
  } catch (error) {
    // EPERM: it lives, and is somebody else's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** Empty when nothing is written, or not yet. */
function ownerOf(directory: string): string {
  try {
    return readFileSync(join(directory, ownerFile), 'utf8').trim()
  } catch {
    return ''
  }
}
