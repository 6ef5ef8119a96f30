import { plainGuest } from '../../testing/guest.ts'
import type { Proof } from '../proof.ts'
import { aboutGuests, guestVisits } from './guest-visits.ts'

export const proof: Proof = {
  name: 'guests',
  about: `a plain js-libp2p peer without hello ${aboutGuests}`,
  quick: false,
  seconds: 35,
  run: (context) => guestVisits(plainGuest(), context),
}
