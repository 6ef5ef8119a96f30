import { equals } from '../proof.ts'
import { total } from './application.ts'
import { applicationProof } from './application-proof.ts'

export const proof = applicationProof(
  'app-own-telemetry',
  'an application with an OpenTelemetry SDK of its own fares with the mesh as without: its spans are its own, nothing lost, no connection closed, CPU, memory, exit',
  {
    program: 'own-telemetry',
    processes: 2,
    rate: 5,
    nothingLost: (side, ends) => [
      equals(`messages heard ${side} the mesh`, total(ends, 'sent'), total(ends, 'heard')),
      equals(
        `spans of the application at its own exporter ${side} the mesh`,
        total(ends, 'sent'),
        total(ends, 'spans'),
      ),
      equals(`other spans there ${side} the mesh`, 0, total(ends, 'foreign')),
    ],
  },
)
