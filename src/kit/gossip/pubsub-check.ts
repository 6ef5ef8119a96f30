import type { Registrar } from '@libp2p/interface-internal'
import { MeshError } from '../../core/errors.ts'
import type { Owner } from '../../core/owner.ts'
import { pause } from '../clock.ts'
import type { PubSub } from '../components.ts'

const requiredMethods = [
  'subscribe',
  'unsubscribe',
  'publish',
  'getPeers',
  'getSubscribers',
  'addEventListener',
  'removeEventListener',
] as const satisfies readonly (keyof PubSub)[]

const install = 'npm install @libp2p/gossipsub, and use its `gossipsub()`'
/** Poll of the check: a pubsub service registers its protocols while it starts, in parallel to the mesh. */
const pollMs = 5
const maxPolls = 200

/** Optional members of a pubsub service. */
interface InspectedPubSub {
  readonly protocols?: unknown
  readonly multicodecs?: unknown
  readonly globalSignaturePolicy?: unknown
}

interface PubSubCheckOptions {
  /** Its name in `services`. */
  readonly name: string
  readonly pubsub: PubSub
  readonly registrar: Pick<Registrar, 'getHandler'>
  /** The check waits on its clock, and ends when it closes. */
  readonly owner: Owner
}

/**
 * Refuses a pubsub service that would start and then silently reach no peer. The check looks at behaviour, not at
 * package names: every service that works passes, and so does one that it cannot judge.
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
    refuse('its messages are unsigned, so their sender is unknown', 'leave `globalSignaturePolicy` out')
  }
  if ((await detectHandler(options)) === 'libp2p 2') {
    refuse('its handler expects the streams of libp2p 2, so it reads nothing from peers', install)
  }
}

/** The libp2p version that the handler of inbound streams is written for; undefined when unknown. */
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
 * libp2p 2 called a handler with one object of stream and connection, libp2p 3 calls it with the two. So this calls the
 * handler with two objects that throw at the first read, which makes the call harmless. A service that has not started
 * yet reads nothing.
 */
function probeHandler({ registrar }: PubSubCheckOptions, protocol: string): 'libp2p 2' | 'libp2p 3' | undefined {
  const reads: string[] = []
  const probeArgument = (argument: string) =>
    new Proxy(Object.create(null), {
      get: (_, key) => {
        reads.push(`${argument}.${String(key)}`)
        throw new Error('a probe of the mesh: this is no real stream')
      },
    })
  try {
    const { handler } = registrar.getHandler(protocol)
    Promise.resolve(handler(probeArgument('first'), probeArgument('second'))).catch(() => {})
  } catch {
    // The handler is not registered yet, or it read the probe.
  }
  if (reads.length === 0) return undefined
  return reads[0] === 'first.stream' || reads[0] === 'first.connection' ? 'libp2p 2' : 'libp2p 3'
}
