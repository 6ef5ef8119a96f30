import type { Binary } from '../../stack/binaries.ts'
import { buildGuest, findGuest, type Language } from '../../testing/interop/build.ts'
import { type ProofContext, type ProofResult, unrun } from '../proof.ts'

/** The program of a guest, built if it was not; what is missing without its toolchain. */
export async function builtGuest(
  language: Language,
  { progress, signal }: Pick<ProofContext, 'progress' | 'signal'>,
): Promise<Binary> {
  if ('missing' in (await findGuest(language))) progress(`building the ${language} guest, which takes minutes`)
  const guest = await buildGuest(language, signal)
  if ('missing' in guest) progress(`NOT SHOWN: ${guest.missing}`)
  return guest
}

/** The programs of the guests of other implementations. */
export type Programs = Readonly<Record<Language, string>>

/** Runs with the guests of both implementations, if this machine can build them. */
export async function withGuests(
  context: ProofContext,
  run: (programs: Programs, context: ProofContext) => Promise<ProofResult>,
): Promise<ProofResult> {
  const go = await builtGuest('go', context)
  const rust = await builtGuest('rust', context)
  if ('missing' in go) return unrun(context, 'a go guest', 'one', go.missing)
  if ('missing' in rust) return unrun(context, 'a rust guest', 'one', rust.missing)
  return run({ go: go.path, rust: rust.path }, context)
}
