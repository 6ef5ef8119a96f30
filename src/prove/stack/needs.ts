import { type StackBinary, stackBinary } from '../../stack/binaries.ts'
import type { ProofContext, ProofResult } from '../proof.ts'

/** Runs a proof that needs programs of the stack; without them a check that is not shown names the missing one. */
export async function withStack(
  needs: readonly StackBinary[],
  { progress }: ProofContext,
  run: () => Promise<ProofResult>,
): Promise<ProofResult> {
  for (const name of needs) {
    const binary = await stackBinary(name)
    if ('path' in binary) continue
    progress(`NOT SHOWN: ${binary.missing}`)
    const check = { what: 'programs of the stack', want: 'there', got: binary.missing, holds: 'not shown' } as const
    return { figures: { missing: binary.missing }, checks: [check] }
  }
  return run()
}

/** A whole number from the environment, or the default. Throws for anything else. */
export function fromEnv(name: string, fallback: number): number {
  const value = process.env[name]
  if (value === undefined || value === '') return fallback
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new Error(`${name} is ${value}; expected a whole number from 1`)
  return Number(value)
}
