import { equals } from '../proof.ts'
import { applicationProof, total } from './application-proof.ts'

export const proof = applicationProof(
  'app-helia',
  'Helia works with the mesh as without: every block arrives over bitswap, no connection closed, CPU, memory, exit',
  {
    program: 'helia',
    processes: 2,
    rate: 5,
    // Not the tenth of the others: nearly half of its CPU collects garbage, in a heap that the kit makes larger.
    cpuRatioMax: 1.16,
    nothingLost: (side, ends) => [
      equals(`blocks fetched ${side} the mesh`, total(ends, 'added'), total(ends, 'fetched')),
    ],
  },
)
