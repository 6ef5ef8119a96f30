import type { RunningNode } from '../../node/node.ts'
import type { Plant } from '../plant.ts'

/** Collections of an application that registered them with the mesh. */
export const applicationPlants = {
  /** Sessions that nobody deletes. */
  registry: {
    begin: ({ mesh }) => {
      sessions = mesh.registry('sessions', { capacity: 100_000, expiry: { event: 'logout' } })
    },
    tick: (_, count) => sessions?.set(`session ${count}`, {}),
  },
  /** A cache above its bound. */
  watch: {
    begin: ({ mesh }) => void mesh.watch('cache', () => cache.length, { capacity: 8 }),
    tick: () => void cache.push(growCache()),
  },
  /** A set of joined peers into which the application only inserts. */
  'joined-peers': {
    begin: ({ mesh }) => {
      joined = mesh.registry('joined', { capacity: 100_000, expiry: { event: 'never' } })
    },
    join: (_, peer) => joined?.set(`${peer} ${sequence++}`, {}),
  },
} as const satisfies Readonly<Record<string, Plant>>

let sessions: ReturnType<RunningNode['mesh']['registry']> | undefined
let joined: ReturnType<RunningNode['mesh']['registry']> | undefined
let sequence = 0
const cache: object[] = []

/** A site in the heap that a profile can name. */
function growCache(): object {
  return Array.from({ length: 2_000 }, (_, part) => ({ part, text: `entry ${part}` }))
}
