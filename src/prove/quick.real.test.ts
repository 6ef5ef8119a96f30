import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { announceSeed } from '../testing/random.ts'
import { collectNative } from '../testing/real-world.ts'
import { answerOf, readable } from './answer.ts'
import { loadProof, proofNames } from './proofs.ts'

collectNative()
leakCheck()

for (const name of proofNames()) {
  const proof = await loadProof(name)
  if (!proof.quick) continue
  test(`${name}: ${proof.about}`, async (t) => {
    const progress = (text: string) => t.diagnostic(text)
    const answer = await answerOf(proof, announceSeed(t), { progress, signal: t.signal })
    assert.equal(answer.verdict, 'holds', `${readable(answer)}${JSON.stringify(answer.figures, null, 2)}`)
  })
}
