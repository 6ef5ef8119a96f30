import assert from 'node:assert/strict'
import { test } from 'node:test'
import { announceSeed } from '../testing/random.ts'
import { answerOf, readable } from './answer.ts'
import { loadProof, proofNames } from './proofs.ts'

/** Runs the quick proofs as tests: those that are virtual, or those that are not. */
export async function testQuickProofs({ virtual }: { readonly virtual: boolean }): Promise<void> {
  for (const name of proofNames()) {
    const proof = await loadProof(name)
    if (!proof.quick || (proof.virtual ?? false) !== virtual) continue
    test(`${name}: ${proof.about}`, async (t) => {
      const progress = (text: string) => t.diagnostic(text)
      const answer = await answerOf(proof, announceSeed(t), { progress, signal: t.signal })
      assert.equal(answer.verdict, 'holds', `${readable(answer)}${JSON.stringify(answer.figures, null, 2)}`)
    })
  }
}
