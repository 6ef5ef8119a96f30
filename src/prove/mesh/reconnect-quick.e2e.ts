import { endToEnd } from '../end-to-end.ts'
import { aboutReconnect, runReconnect } from './reconnect.e2e.ts'

const count = 80

/** A short `reconnect`. */
export const proof = endToEnd({
  name: 'reconnect-quick',
  about: aboutReconnect(count),
  quick: true,
  seconds: 30,
  run: (context) => runReconnect(count, context),
})
