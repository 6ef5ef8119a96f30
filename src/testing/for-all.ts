import fc from 'fast-check'
import { announceSeed } from './random.ts'

/** The running test, which reports the seed that replays the values, and the number of runs; default: 100. */
type Runs = { readonly t: { diagnostic(message: string): void }; readonly numRuns?: number }

/** Checks a property of any values, of which there is one arbitrary per parameter. */
export async function forAll<Values extends [unknown, ...unknown[]]>(
  { t, ...parameters }: Runs,
  arbitraries: [...{ [Index in keyof Values]: fc.Arbitrary<Values[Index]> }],
  property: (...values: Values) => void | Promise<void>,
): Promise<void> {
  const check = fc.asyncProperty<Values>(...arbitraries, async (...values) => property(...values))
  await fc.assert(check, { ...parameters, seed: announceSeed(t) })
}
