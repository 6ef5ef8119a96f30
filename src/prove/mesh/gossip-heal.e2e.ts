import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../../core/machine.ts'
import { until } from '../../processes/waiting.ts'
import { randomSeed } from '../../testing/interop/guest.ts'
import type { PeerKind } from '../../testing/suite/peer-kinds.ts'
import type { Transport } from '../../testing/suite/real-world.ts'
import { endToEnd } from '../end-to-end.ts'
import { atMost, type Check, equals } from '../proof.ts'
import { startProgram, type TestProgram } from '../test-program.ts'

/** Claimed time until messages pass both ways again. */
const healLimitMs = 15_000
const startMs = 60_000
/** All messages of so long, but for those of the last second, have to arrive. */
const steadyMs = 3_000
const arrivalMs = 1_000
/** Published every 200 ms; a busy machine may be late. */
const fewestMessages = 5
/** From the second dial to the end of the first connection. */
const secondLinkMs = 2_000

const situations = ['two links, the first one closes', 'own gossip stream ended', 'restarted after SIGKILL'] as const
type Situation = (typeof situations)[number]

/** The node, the kit in an application, and stock js-libp2p beside them. */
const kinds = ['mesh', 'app', 'guest'] as const satisfies readonly PeerKind[]

interface Outcome {
  readonly kind: (typeof kinds)[number]
  readonly transport: Transport
  readonly situation: Situation
  /**
   * Milliseconds from the fault to the last message that did not arrive, each way: 0 if all arrived, NaN if messages
   * still do not arrive after 15 s.
   */
  readonly thereMs: number
  readonly backMs: number
  /** Gossip spans of both, with their numbers. */
  readonly spans: Readonly<Record<string, number>>
}

export const proof = endToEnd({
  name: 'gossip-heal',
  about:
    'two links to one peer, the own gossip stream ended, a peer restarted after SIGKILL with its key: messages pass both ways again within 15 s, over QUIC and TCP; between stock js-libp2p peers they do not',
  quick: false,
  seconds: 200,
  async run({ random, progress, signal }) {
    const outcomes: Outcome[] = []
    for (const transport of ['quic', 'tcp'] as const) {
      for (const situation of situations) {
        signal.throwIfAborted()
        const some = await Promise.all(kinds.map((kind) => runSituation(kind, transport, situation, random)))
        progress(`${transport}, ${situation}: ${some.map(describeOutcome).join('; ')}`)
        outcomes.push(...some)
      }
    }
    return { figures: { outcomes }, checks: outcomes.flatMap(checksOf) }
  },
})

function describeOutcome({ kind, thereMs, backMs }: Outcome): string {
  return `${kind} ${thereMs} ms there, ${backMs} ms back`
}

function checksOf({ kind, transport, situation, thereMs, backMs }: Outcome): Check[] {
  const what = `${kind} over ${transport}, ${situation}`
  if (kind !== 'guest')
    return [
      atMost(`${what}: messages there`, healLimitMs, thereMs, 'ms'),
      atMost(`${what}: messages back`, healLimitMs, backMs, 'ms'),
    ]
  // A killed process closes its TCP connections.
  if (transport === 'tcp' && situation === 'restarted after SIGKILL') return []
  const isMute = Number.isNaN(thereMs) || Number.isNaN(backMs)
  const check = equals(`${what}: mute, as the control of this test`, true, isMute)
  return [isMute ? check : { ...check, holds: 'not shown' }]
}

async function runSituation(
  kind: Outcome['kind'],
  transport: Transport,
  situation: Situation,
  random: Random,
): Promise<Outcome> {
  const start = (seed: string) => startProgram('cluster/gossip-peer.ts', [kind, transport, seed])
  const seed = randomSeed(random)
  await using one = start(randomSeed(random))
  await using first = start(seed)
  const address = String((await one.nextEvent('ready', startMs))['address'])
  await first.nextEvent('ready', startMs)
  const dialledAt = await obey(first, `dial ${address}`)
  await until(() => isSteady(first, one, dialledAt) && isSteady(one, first, dialledAt), startMs, 'messages both ways')
  if (situation !== 'restarted after SIGKILL') {
    const since = await harm(first, situation, address)
    return { kind, transport, situation, ...(await measureHeal(first, one, since)) }
  }
  await first.kill()
  await using again = start(seed)
  await again.nextEvent('ready', startMs)
  return { kind, transport, situation, ...(await measureHeal(again, one, await obey(again, `dial ${address}`))) }
}

/** Sends a command; returns when it was done, in Unix milliseconds. */
async function obey(peer: TestProgram, command: string): Promise<number> {
  peer.write(command)
  return Number((await peer.nextEvent('done', startMs))['at'])
}

async function harm(peer: TestProgram, situation: Situation, address: string): Promise<number> {
  if (situation === 'own gossip stream ended') return obey(peer, 'end-stream')
  const dialledAt = await obey(peer, `dial ${address}`)
  await sleep(secondLinkMs)
  await obey(peer, 'close-first')
  return dialledAt
}

async function measureHeal(
  peer: TestProgram,
  other: TestProgram,
  since: number,
): Promise<Pick<Outcome, 'thereMs' | 'backMs' | 'spans'>> {
  const areSteady = () => isSteady(peer, other, since) && isSteady(other, peer, since)
  await until(areSteady, healLimitMs + steadyMs + secondLinkMs, 'messages both ways').catch(() => {})
  const spans: Record<string, number> = {}
  for (const one of [peer, other]) {
    await obey(one, 'spans')
    const { names } = await one.nextEvent('spans', startMs)
    for (const name of names as readonly string[])
      if (name.startsWith('mesh.gossip.')) spans[name] = (spans[name] ?? 0) + 1
  }
  const mutedMs = (from: TestProgram, to: TestProgram) =>
    isSteady(from, to, since) ? lostUntil(from, to, since) : Number.NaN
  return { thereMs: mutedMs(peer, other), backMs: mutedMs(other, peer), spans }
}

/** Whether all messages of the last `steadyMs`, and none of before `since`, have arrived. */
function isSteady(from: TestProgram, to: TestProgram, since: number): boolean {
  const until = Date.now() - arrivalMs
  const recent = sentBy(from).filter((sentAt) => sentAt >= Math.max(since, until - steadyMs) && sentAt <= until)
  return until - steadyMs >= since && recent.length >= fewestMessages && recent.every((sentAt) => hasHeard(to, sentAt))
}

/** When the last lost message was sent, in milliseconds after `since`. */
function lostUntil(from: TestProgram, to: TestProgram, since: number): number {
  const until = Date.now() - arrivalMs
  const lost = sentBy(from).filter((sentAt) => sentAt >= since && sentAt <= until && !hasHeard(to, sentAt))
  return Math.max(0, ...lost.map((sentAt) => sentAt - since))
}

function sentBy({ events }: TestProgram): number[] {
  return events.filter(({ event }) => event === 'said').map(({ sentAt }) => Number(sentAt))
}

function hasHeard({ events }: TestProgram, sentAt: number): boolean {
  return events.some((one) => one['event'] === 'heard' && one['sentAt'] === sentAt)
}
