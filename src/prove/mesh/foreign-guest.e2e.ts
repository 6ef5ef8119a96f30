import { endToEnd } from '../end-to-end.ts'
import { unrun } from '../proof.ts'
import { aboutGuests, runGuestVisits } from './guests.e2e.ts'

/** Command line, split at spaces, of a guest that follows the protocol of `testing/cluster/guest-peer.ts`. */
export const guestVariable = 'TRACEMESH_GUEST_PEER'

export const proof = endToEnd({
  name: 'foreign-guest',
  about: `a libp2p peer of another implementation, named by ${guestVariable}, ${aboutGuests}`,
  quick: false,
  seconds: 35,
  async run(context) {
    const command = process.env[guestVariable]?.trim() ?? ''
    if (command !== '') return runGuestVisits(command.split(/\s+/), context)
    return unrun(context, 'a guest of another implementation', 'one', `${guestVariable} is not set`)
  },
})
