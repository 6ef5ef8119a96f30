import { endToEnd } from '../end-to-end.ts'
import { aboutPairs, runPairs } from './pair-situations.ts'

export const proof = endToEnd({
  name: 'interop-rust',
  about: `a node and a peer of rust-libp2p: ${aboutPairs}`,
  quick: false,
  seconds: 300,
  run: (context) => runPairs('rust', context),
})
