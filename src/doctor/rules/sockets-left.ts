import { growthFinding } from '../judgement/counted-growth.ts'
import { grownSockets } from '../judgement/socket-counts.ts'
import type { Rule } from '../rule.ts'

/** Open sockets of one kind that nobody closes. */
export const socketsLeft: Rule = {
  name: 'sockets-left',
  find: ({ instances }) =>
    instances.flatMap((instance) =>
      grownSockets(instance).map(({ kind, found }) =>
        growthFinding(instance, found, {
          disease: 'sockets-left',
          part: `${kind} sockets`,
          what: `open ${kind} sockets`,
          unit: 'sockets',
        }),
      ),
    ),
}
