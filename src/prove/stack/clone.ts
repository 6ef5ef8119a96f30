import { cp, mkdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { plainEnvironment, root, sh } from '../shell.ts'

/**
 * Clones this repository into `directory`/clone and applies the uncommitted changes of the work tree, without ignored
 * files. Returns the path. Throws when git fails.
 */
export async function cloneWithChanges(directory: string, signal: AbortSignal): Promise<string> {
  const clone = join(directory, 'clone')
  await git(`git clone --quiet ${JSON.stringify(root)} ${JSON.stringify(clone)}`, signal)
  const deleted = await names('git ls-files --deleted -z', signal)
  const changed = await names('git ls-files --modified --others --exclude-standard -z', signal)
  for (const name of deleted) await rm(join(clone, name), { force: true })
  for (const name of changed.filter((one) => !deleted.includes(one))) {
    await mkdir(dirname(join(clone, name)), { recursive: true })
    await cp(join(root, name), join(clone, name))
  }
  return clone
}

async function names(command: string, signal: AbortSignal): Promise<readonly string[]> {
  return (await git(command, signal)).split('\0').filter((name) => name !== '')
}

async function git(command: string, signal: AbortSignal): Promise<string> {
  const { code, output } = await sh(command, root, plainEnvironment(), signal)
  if (code !== 0) throw new Error(`${command}: ${output}`)
  return output
}
