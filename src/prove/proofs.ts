import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Proof, suffix } from './proof.ts'

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

/** Absolute path of the file of a proof. Throws for an unknown name. */
export function proofFile(name: string): string {
  const file = files.get(name)
  if (file === undefined) throw new Error(`no file ${name}${suffix}`)
  return join(import.meta.dirname, file)
}

/** Throws when there is no such file, or its proof has another name, under which its test would never run. */
export async function loadProof(name: string): Promise<Proof> {
  const file = proofFile(name)
  const { proof } = (await import(pathToFileURL(file).href)) as { proof: Proof }
  if (proof.name !== name) throw new Error(`the proof in ${file} is named ${proof.name}`)
  return proof
}

/**
 * Names of the quick proofs by the text of their files: `npm test` need not load them all. With `virtual` only those of
 * simulated time, or none of them; at most so many seconds long.
 */
export function quickNames({
  virtual,
  maxSeconds = Infinity,
}: {
  virtual?: boolean
  maxSeconds?: number
} = {}): string[] {
  return proofNames().filter((name) => {
    const text = readFileSync(proofFile(name), 'utf8')
    const seconds = Number(/\n {2}seconds: ([\d_]+),\n/.exec(text)?.[1])
    const isKind = virtual === undefined || hasFlag(text, 'virtual') === virtual
    return hasFlag(text, 'quick') && isKind && seconds <= maxSeconds
  })
}

function hasFlag(text: string, flag: 'quick' | 'virtual'): boolean {
  return text.includes(`\n  ${flag}: true,\n`)
}
