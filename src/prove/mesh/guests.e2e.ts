import { plainGuest } from '../../testing/cluster/guest.ts'
import { endToEnd } from '../end-to-end.ts'
import { aboutGuests, runGuestVisits } from './guest-visits.ts'

export const proof = endToEnd({
  name: 'guests',
  about: `a plain js-libp2p peer without hello ${aboutGuests}`,
  quick: false,
  seconds: 35,
  run: (context) => runGuestVisits(plainGuest(), context),
})
