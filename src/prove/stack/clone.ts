import { cp, mkdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { plainEnvironment, root, sh } from '../shell.ts'

/**
 * A fresh clone of this repository in `directory`/clone, as the work tree is: what is committed, and on top what is
 * changed, new or deleted but not ignored. Returns its path. Throws when git cannot make it.
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
