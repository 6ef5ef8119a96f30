import type { Registrar } from '@libp2p/interface-internal'
import { MeshError } from '../core/errors.ts'
import type { Owner } from '../core/owner.ts'
import type { PubSub } from './components.ts'
import { pause } from './pause.ts'

const requiredMethods = [
  'subscribe',
  'unsubscribe',
  'publish',
  'getPeers',
  'getSubscribers',
  'addEventListener',
  'removeEventListener',
] as const satisfies readonly (keyof PubSub)[]

const install = 'npm install @libp2p/gossipsub, and use `gossipsub()` of it'
/** A pubsub service registers its protocols as it starts, beside the mesh: how long and how often the check waits. */
const pollMs = 5
const maxPolls = 200

/** What a pubsub service may have besides; each is asked for only where it is there. */
interface InspectedPubSub {
  readonly protocols?: unknown
  readonly multicodecs?: unknown
  readonly globalSignaturePolicy?: unknown
}

export interface PubSubCheckOptions {
  /** Its name in `services`. */
  readonly name: string
  readonly pubsub: PubSub
  readonly registrar: Pick<Registrar, 'getHandler'>
  /** The check waits in its time, and no longer than it is open. */
  readonly owner: Owner
}

/**
 * Refuses a pubsub service that would start and then reach nobody, without an error from anyone. It is judged by what
 * it does, so a service of any package passes that works, and one that the check cannot judge passes too.
 *
 * @throws MESH_PUBSUB_UNUSABLE
 */
export async function checkPubSub(options: PubSubCheckOptions): Promise<void> {
  const { name, pubsub } = options
  const refuse = (reason: string, cure: string) => {
    throw new MeshError('MESH_PUBSUB_UNUSABLE', { service: name, reason, cure })
  }
  const missing = requiredMethods.filter((method) => typeof pubsub[method] !== 'function')
  if (missing.length > 0) refuse(`it has no ${missing.join(', ')}`, install)
  if ((pubsub as InspectedPubSub).globalSignaturePolicy === 'StrictNoSign') {
    refuse('its messages are unsigned, so nobody knows who sent them', 'leave `globalSignaturePolicy` out')
  }
  if ((await detectHandler(options)) === 'libp2p 2') {
    refuse('it takes streams as libp2p 2 handed them out, so it reads nothing that peers send', install)
  }
}

/** Which libp2p the handler of incoming streams is written for; undefined when that does not show. */
async function detectHandler(options: PubSubCheckOptions): Promise<'libp2p 2' | 'libp2p 3' | undefined> {
  const { pubsub, owner } = options
  const { protocols, multicodecs } = pubsub as InspectedPubSub
  const protocolList = protocols ?? multicodecs
  const [protocol] = Array.isArray(protocolList) ? protocolList : []
  if (typeof protocol !== 'string') return undefined
  for (let poll = 0; poll < maxPolls && !owner.closed; poll++) {
    const answer = probeHandler(options, protocol)
    if (answer !== undefined) return answer
    await pause(owner, pollMs)
  }
  return undefined
}

/**
 * libp2p 2 called a handler with one object that holds stream and connection, libp2p 3 calls it with the two. So the
 * handler is called with two objects that throw at the first read: it cannot do anything with either. A service that
 * has not started yet reads nothing.
 */
function probeHandler({ registrar }: PubSubCheckOptions, protocol: string): 'libp2p 2' | 'libp2p 3' | undefined {
  const reads: string[] = []
  const probeArgument = (argument: string) =>
    new Proxy(Object.create(null), {
      get: (_, key) => {
        reads.push(`${argument}.${String(key)}`)
        throw new Error('a probe of the mesh: nothing may be read of this stream')
      },
    })
  try {
    const { handler } = registrar.getHandler(protocol)
    Promise.resolve(handler(probeArgument('first'), probeArgument('second'))).catch(() => {})
  } catch {
    // Not registered yet, or the handler has met the probe.
  }
  if (reads.length === 0) return undefined
  return reads[0] === 'first.stream' || reads[0] === 'first.connection' ? 'libp2p 2' : 'libp2p 3'
}
