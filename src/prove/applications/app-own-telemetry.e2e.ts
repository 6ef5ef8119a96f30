import { equals } from '../proof.ts'
import { applicationProof, total } from './application-proof.ts'

export const proof = applicationProof(
  'app-own-telemetry',
  'an application with its own OpenTelemetry SDK works with the mesh as without: its SDK exports only its own spans, nothing lost, no connection closed, CPU, memory, exit',
  {
    program: 'own-telemetry',
    processes: 2,
    rate: 5,
    nothingLost: (side, ends) => [
      equals(`messages received ${side} the mesh`, total(ends, 'sent'), total(ends, 'heard')),
      equals(
        `spans of the application at its own exporter ${side} the mesh`,
        total(ends, 'sent'),
        total(ends, 'spans'),
      ),
      equals(`other spans there ${side} the mesh`, 0, total(ends, 'foreign')),
    ],
  },
)
