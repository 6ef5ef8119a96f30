import { languages } from '../../testing/interop/build.ts'
import { endToEnd } from '../end-to-end.ts'
import { builtGuest } from '../interop/built-guest.ts'
import { type Check, notShown } from '../proof.ts'
import { aboutGuests, runGuestVisits } from './guests.e2e.ts'

export const proof = endToEnd({
  name: 'foreign-guest',
  about: `a peer of go-libp2p and one of rust-libp2p ${aboutGuests}`,
  quick: false,
  seconds: 120,
  async run(context) {
    const figures: Record<string, unknown> = {}
    const checks: Check[] = []
    for (const language of languages) {
      const guest = await builtGuest(language, context)
      if ('missing' in guest) {
        checks.push(notShown(`${language}: a guest`, 'one', guest.missing))
        continue
      }
      const result = await runGuestVisits([guest.path], context)
      figures[language] = result.figures
      checks.push(...result.checks.map((check) => ({ ...check, what: `${language}: ${check.what}` })))
    }
    return { figures, checks }
  },
})
