import type { Binary } from '../../stack/binaries.ts'
import { buildGuest, findGuest, type Language } from '../../testing/interop/build.ts'
import type { ProofContext } from '../proof.ts'

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
