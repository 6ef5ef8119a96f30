import type { ReceivedSpan } from '../../testing/otlp/otlp-receiver.ts'
import { numberOf, spansNamed } from '../evidence.ts'
import { atLeast, type Check, equals } from '../proof.ts'

const states = ['links', 'guests', 'unsettled', 'draining', 'closing']
const judged = ['connections-conserved', 'registry-conserved', 'owned-conserved']

/** Adds up the counts of every census again: what came less what went is the number of entries. */
export function conservationChecks(all: readonly ReceivedSpan[], leastCensuses: number): readonly Check[] {
  const censuses = spansNamed(all, 'mesh.audit')
  const unequalCensuses = censuses.filter((span) => {
    const held = states.reduce((sum, state) => sum + numberOf(span, `mesh.audit.${state}`), 0)
    return numberOf(span, 'mesh.audit.opened_total') - numberOf(span, 'mesh.audit.closed_total') !== held
  })
  const registries = all.filter(({ attributes }) => attributes['mesh.registry.added'] !== undefined)
  const unequalRegistries = registries.filter(
    (span) =>
      numberOf(span, 'mesh.registry.added') - numberOf(span, 'mesh.registry.released') !==
      numberOf(span, 'mesh.registry.size'),
  )
  const broken = spansNamed(all, 'mesh.leak.suspected').filter(({ attributes }) =>
    judged.includes(String(attributes['mesh.invariant'])),
  )
  return [
    atLeast('censuses', leastCensuses, censuses.length),
    equals('of them with opened - closed unequal to the number of connections by state', 0, unequalCensuses.length),
    atLeast('registry spans', leastCensuses, registries.length),
    equals('of them with added - released unequal to the size', 0, unequalRegistries.length),
    equals('ledgers that a node itself found unequal', 0, broken.length),
  ]
}
