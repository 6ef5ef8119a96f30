import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Summary } from './summary.ts'

const file = join(import.meta.dirname, 'first-scores.json')
/** Hashes that it retains, the latest ones. */
const maxScores = 40

interface FirstScore {
  readonly hash: string
  readonly source: string
  /** Day of the first score. */
  readonly on: string
  readonly summary: Summary
}

/** Keeps the score of rules that were not scored before: of each hash only the first one counts. */
export async function keepFirstScore(hash: string, source: string, summary: Summary): Promise<void> {
  const scores = await firstScores()
  if (scores.some((score) => score.hash === hash && score.source === source)) return
  const on = new Date().toISOString().slice(0, 10)
  const all = [...scores, { hash, source, on, summary }].slice(-maxScores)
  await writeFile(file, `${JSON.stringify(all, null, 2)}\n`)
}

export async function firstScores(): Promise<readonly FirstScore[]> {
  return JSON.parse(await readFile(file, 'utf8').catch(() => '[]')) as readonly FirstScore[]
}
