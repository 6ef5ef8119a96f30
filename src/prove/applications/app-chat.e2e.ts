import { sum } from '../evidence.ts'
import { equals } from '../proof.ts'
import { applicationProof, total } from './application-proof.ts'

const processes = 3

export const proof = applicationProof(
  'app-chat',
  'the chat pattern with mdns, bootstrap, relay, autonat, dcutr and websockets works with the mesh as without: nothing lost, no connection closed, the relayed one a guest, CPU, memory, exit',
  {
    program: 'chat',
    processes,
    rate: 5,
    async prepare({ processes: [relay, listener, caller] }) {
      const through = relay?.addresses.find((address) => !/\/ws|p2p-circuit/.test(address))
      await caller?.request('relay', { through, peer: listener?.peer })
    },
    nothingLost: (side, ends) => [
      equals(`messages received ${side} the mesh`, (processes - 1) * total(ends, 'sent'), total(ends, 'heard')),
      equals(
        `answers over the relayed connection ${side} the mesh`,
        ends.at(-1)?.work['sent'] ?? Number.NaN,
        total(ends, 'echoed'),
      ),
      equals(`relayed connections at the end ${side} the mesh`, 2, sum(ends.map(({ limited }) => limited))),
    ],
  },
)
