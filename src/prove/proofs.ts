import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Proof } from './proof.ts'

const suffix = '.proof.ts'

/** Names of all proofs, in order. */
export function proofNames(): string[] {
  return globSync(`*${suffix}`, { cwd: import.meta.dirname })
    .map((file) => basename(file, suffix))
    .sort()
}

/** Throws when the file's proof goes by another name: what is typed would then not be what runs. */
export async function loadProof(name: string): Promise<Proof> {
  const url = pathToFileURL(join(import.meta.dirname, `${name}${suffix}`)).href
  const { proof } = (await import(url)) as { proof: Proof }
  if (proof.name !== name) throw new Error(`the proof in ${name}${suffix} is named ${proof.name}`)
  return proof
}
