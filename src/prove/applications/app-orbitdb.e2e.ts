import { equals } from '../proof.ts'
import { applicationProof, total } from './application-proof.ts'

export const proof = applicationProof(
  'app-orbitdb',
  'OrbitDB on Helia works with the mesh as without: every entry is replicated, no connection closed, CPU, memory, exit',
  {
    program: 'orbitdb',
    processes: 2,
    rate: 2,
    async prepare({ processes: [first, ...others] }) {
      for (const other of others) await other.request('open', { address: first?.details['address'] })
    },
    nothingLost: (side, ends) =>
      ends.map(({ work }, index) =>
        equals(`entries of replica ${index} ${side} the mesh`, total(ends, 'added'), work['entries'] ?? Number.NaN),
      ),
  },
)
