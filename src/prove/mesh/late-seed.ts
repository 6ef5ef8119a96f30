import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Cluster, type NodeProcess, until } from '../../testing/cluster/cluster.ts'
import type { ReceivedSpan } from '../../testing/otlp/otlp-receiver.ts'
import {
  emitterOf,
  gapsOf,
  gapsOfLives,
  missingSpans,
  numberOf,
  orphans,
  spansNamed,
  unclosedConnections,
} from '../evidence.ts'
import { atMost, type Check, equals, type ProofContext, type ProofResult, round } from '../proof.ts'
import { firstCampaigns, longestWaitMs } from './first-campaigns.ts'
import { closeFault, openFault } from './link-traces.ts'
import { haveFullMembership, type PairLink, topologiesOf, waitForFullMesh } from './mesh.ts'

export interface LateSeedOptions {
  /** How much later than the others the seed starts, in milliseconds. */
  readonly lateMs: number
  /** How long to watch the complete mesh. */
  readonly watchMs: number
}

/** Facts of the run that the spans do not contain. Times are Unix milliseconds. */
interface Run {
  readonly seed: string
  readonly seedAt: number
  readonly completeAt: number
  readonly links: readonly PairLink[]
  /** Peer id of the node that stopped first; exit codes of all nodes. */
  readonly stopped: string
  readonly exitCodes: readonly number[]
}

const nodes = 6
/** From the seed's start, beyond the longest remaining wait. */
const graceMs = 15_000
/** A node sweeps every 5 s. */
const sweepGapMs = 6_000
const windowMs = 60_000

/** Six nodes, one of which is the late seed of the others; then one stops with goodbyes, then all. */
export async function runLateSeed(
  cluster: Cluster,
  { lateMs, watchMs }: LateSeedOptions,
  { progress }: Pick<ProofContext, 'progress'>,
): Promise<ProofResult> {
  const seeds = [cluster.address('seed')]
  const early = await Promise.all(
    Array.from({ length: nodes - 1 }, (_, index) => cluster.node(`node-${index + 1}`, { seeds })),
  )
  progress(`${early.length} nodes wait for their seed, ${lateMs / 1_000} s`)
  await sleep(lateMs)
  const seedAt = Date.now()
  const seed = await cluster.node('seed', { role: 'seed' })
  const all = [...early, seed]
  await until(async () => haveFullMembership(await topologiesOf(all)), 60_000, 'all nodes have each other as members')
  const completeAt = Date.now()
  progress(`membership is complete ${completeAt - seedAt} ms after the seed was started`)
  const links = await waitForFullMesh(all, 10_000)
  await sleep(watchMs)
  const [first, ...others] = early as [NodeProcess, ...NodeProcess[]]
  const exitCodes = [await first.stop()]
  progress('one has stopped; now all')
  // The others close their ends before they stop themselves.
  await until(
    async () => haveFullMembership(await topologiesOf([...others, seed])),
    5_000,
    'the others remove the stopped node',
  )
  exitCodes.push(...(await Promise.all([...others, seed].map((node) => node.stop()))))
  const run = { seed: seed.peer, seedAt, completeAt, links, stopped: first.peer, exitCodes }
  return judge(cluster.receiver.spans, run)
}

function judge(spans: readonly ReceivedSpan[], run: Run): ProofResult {
  const campaigns = firstCampaigns(spans)
  const waitMs = longestWaitMs(campaigns, run.seedAt)
  const tookMs = run.completeAt - run.seedAt
  const checks = [
    equals('campaigns, one for each of the others', nodes - 1, campaigns.length),
    equals('campaigns whose attempts are not their children, 1 2 3 … and then connected', '', faults(campaigns)),
    equals('campaigns without a failed attempt', 0, campaigns.filter(({ retries }) => retries.length === 0).length),
    equals('campaigns that found another peer', 0, campaigns.filter(hasOtherPeer(run.seed)).length),
    atMost('complete membership, after the longest remaining wait', graceMs, tookMs - waitMs, 'ms'),
    ...linkChecks(spans, run),
    ...rhythmChecks(spans),
    ...lossChecks(spans),
    equals('exit codes after SIGTERM', '0 0 0 0 0 0', run.exitCodes.join(' ')),
  ]
  const figures = {
    spans: spans.length,
    attempts: campaigns.map(({ retries }) => retries.length + 1),
    longestWaitMs: round(waitMs),
    completeAfterSeedStartMs: tookMs,
    transports: [...new Set(run.links.map(({ transport }) => transport))],
    superseded: spansNamed(spans, 'mesh.connection.superseded').length,
    connectionsOpened: spansNamed(spans, 'mesh.connection.opened').length,
    longestSweepGapMs: round(Math.max(...gapsOfLives(spans, 'mesh.staleness.pruned'))),
    longestWindowGapMs: round(Math.max(...gapsOf(spansNamed(spans, 'mesh.window')))),
    loadavg: loadavg(),
  }
  return { figures, checks }
}

function linkChecks(spans: readonly ReceivedSpan[], { links, stopped }: Run): Check[] {
  const linksOfStopped = links.filter(({ ends }) => ends.includes(stopped))
  const openFaults = links.map((link) => openFault(spans, link)).filter((fault) => fault !== '')
  const closeFaults = linksOfStopped.map((link) => closeFault(spans, link, stopped)).filter((fault) => fault !== '')
  return [
    equals('links of the pairs, one each, both ends agreeing on its id', (nodes * (nodes - 1)) / 2, links.length),
    equals('links over another transport than QUIC', 0, links.filter(({ transport }) => transport !== 'quic').length),
    equals('opened links that are not one trace of both ends', '', openFaults.join('; ')),
    equals('links of the node that stopped first', nodes - 1, linksOfStopped.length),
    equals('closed links that are not one trace of both ends, linked to the opening trace', '', closeFaults.join('; ')),
    equals('connections opened and not closed exactly once', 0, unclosedConnections(spans).length),
  ]
}

function rhythmChecks(spans: readonly ReceivedSpan[]): Check[] {
  const sweeps = spansNamed(spans, 'mesh.staleness.pruned')
  const windows = spansNamed(spans, 'mesh.window')
  const unlinked = windows.filter((span) => numberOf(span, 'mesh.window.seq') > 1 && !isLinkedBack(span, windows))
  return [
    equals('nodes that swept', nodes, new Set(sweeps.map(emitterOf)).size),
    atMost('longest time without a sweep', sweepGapMs, Math.max(...gapsOfLives(spans, 'mesh.staleness.pruned')), 'ms'),
    equals('nodes with windows', nodes, new Set(windows.map(emitterOf)).size),
    equals(
      'windows not a minute after the one before',
      0,
      gapsOf(windows).filter((gap) => Math.abs(gap - windowMs) > 1_000).length,
    ),
    equals('windows not linked to the one before', 0, unlinked.length),
  ]
}

function isLinkedBack(window: ReceivedSpan, windows: readonly ReceivedSpan[]): boolean {
  const before = windows.find(
    (one) =>
      emitterOf(one) === emitterOf(window) &&
      numberOf(one, 'mesh.window.seq') === numberOf(window, 'mesh.window.seq') - 1,
  )
  return window.links.some(({ spanId }) => spanId === before?.spanId)
}

function lossChecks(spans: readonly ReceivedSpan[]): Check[] {
  return [
    equals('spans missing in the numbers from 1', 0, missingSpans(spans)),
    equals('spans reported as lost', 0, spansNamed(spans, 'mesh.telemetry.lost').length),
    equals('spans without their parent', 0, orphans(spans).length),
    equals('nodes that emitted their stop', nodes, new Set(spansNamed(spans, 'mesh.node.stopped').map(emitterOf)).size),
    equals('members expired', 0, spansNamed(spans, 'mesh.member.expired').length),
    equals('leaks suspected', 0, spansNamed(spans, 'mesh.leak.suspected').length),
  ]
}

function faults(campaigns: readonly { emitter: string; fault: string }[]): string {
  return campaigns.flatMap(({ emitter, fault }) => (fault === '' ? [] : [`${emitter}: ${fault}`])).join('; ')
}

function hasOtherPeer(seed: string): (campaign: { connected: ReceivedSpan | undefined }) => boolean {
  return ({ connected }) => connected?.attributes['mesh.peer.id'] !== seed
}
