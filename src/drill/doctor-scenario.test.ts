import assert from 'node:assert/strict'
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { examine } from '../doctor/report/examine.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { selfSeedSpans } from './doctor-scenario.ts'

leakCheck()

test('the spans of the drill: one certain finding, of the second node of its mesh', async () => {
  await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-drill-'))
  const file = join(temporary.path, 'spans.jsonl')
  await writeFile(file, selfSeedSpans('drill-doctor', Date.now()))
  const period = { fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY }
  const { signal } = new AbortController()
  const subject = { url: '', files: [file], mesh: undefined, period, signal, progress: () => {} }
  const { diagnosis } = await examine(subject)
  assert.equal(diagnosis.verdict, 'ill')
  assert.deepEqual(
    diagnosis.findings.map(({ disease, certainty, owner }) => [disease, certainty, owner.mesh, owner.node]),
    [['self-seed', 'certain', 'drill-doctor', 'drill-doctor-2']],
  )
})
