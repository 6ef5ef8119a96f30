import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Proof } from './proof.ts'

const suffix = '.proof.ts'

/** The file of each proof, by its name; a folder holds the proofs of one part of the product. */
const files = byName(globSync(`*/*${suffix}`, { cwd: import.meta.dirname }))

/** Throws when two folders have a proof of one name: only one of them would ever run. */
export function byName(paths: readonly string[]): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  for (const path of paths) {
    const name = basename(path, suffix)
    const other = files.get(name)
    if (other !== undefined) throw new Error(`${other} and ${path} have one name`)
    files.set(name, path)
  }
  return files
}

/** Names of all proofs, in order. */
export function proofNames(): string[] {
  return [...files.keys()].sort()
}

/** Throws when there is no such file, or its proof goes by another name: what is typed would then not be what runs. */
export async function loadProof(name: string): Promise<Proof> {
  const file = files.get(name)
  if (file === undefined) throw new Error(`no file ${name}${suffix}`)
  const { proof } = (await import(pathToFileURL(join(import.meta.dirname, file)).href)) as { proof: Proof }
  if (proof.name !== name) throw new Error(`the proof in ${file} is named ${proof.name}`)
  return proof
}
