import { type StackBinary, stackBinary } from '../../stack/binaries.ts'
import type { ProofContext, ProofResult } from '../proof.ts'

/** Runs a proof that needs programs of the stack; without them it is not shown, and says which one is missing. */
export async function withStack(
  needs: readonly StackBinary[],
  { progress }: ProofContext,
  run: () => Promise<ProofResult>,
): Promise<ProofResult> {
  for (const name of needs) {
    const found = await stackBinary(name)
    if ('path' in found) continue
    progress(`NOT SHOWN: ${found.missing}`)
    const check = { what: 'programs of the stack', want: 'there', got: found.missing, holds: 'not shown' } as const
    return { figures: { missing: found.missing }, checks: [check] }
  }
  return run()
}

/** A whole number out of the environment, or what it is unless somebody says otherwise. Throws for anything else. */
export function fromEnv(name: string, otherwise: number): number {
  const given = process.env[name]
  if (given === undefined || given === '') return otherwise
  if (!/^[1-9]\d{0,8}$/.test(given)) throw new Error(`${name} is ${given}; expected a whole number from 1`)
  return Number(given)
}
