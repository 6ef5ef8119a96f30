import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const src = resolve(import.meta.dirname, '..')

/**
 * Hash of everything that decides a verdict: rules, thresholds, evidence, how spans are read, and the mutations. Test
 * seeds derive from it, so that the rules are frozen before their runs are drawn.
 */
export function rulesHash(): string {
  const files = globSync(
    ['doctor/*.ts', 'doctor/{evidence,judgement,rules,sources}/*.ts', 'traces/otlp-json.ts', 'zoo/{mutate,judge}.ts'],
    { cwd: src },
  )
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => !file.endsWith('.test.ts'))
    .sort()
  const hash = createHash('sha256')
  for (const file of files) hash.update(`${file}\n`).update(readFileSync(join(src, file)))
  return hash.digest('hex').slice(0, 16)
}

/** The seed of one run of a recording: an integer of 32 bits. */
export function seedOf(hash: string, recording: string, run: number): number {
  return createHash('sha256').update(`${hash} ${recording} ${run}`).digest().readUInt32BE()
}
