import { equals } from '../proof.ts'
import { total } from './application.ts'
import { applicationProof } from './application-proof.ts'

export const proof = applicationProof(
  'app-helia',
  'Helia fares with the mesh as without: every block arrives over bitswap, no connection closed, CPU, memory, exit',
  {
    program: 'helia',
    processes: 2,
    rate: 5,
    nothingLost: (side, ends) => [
      equals(`blocks fetched ${side} the mesh`, total(ends, 'added'), total(ends, 'fetched')),
    ],
  },
)
