import { setTimeout as sleep } from 'node:timers/promises'
import { type Cluster, type NodeProcess, startCluster, until } from '../../testing/cluster/cluster.ts'
import type { ReceivedSpan } from '../../testing/otlp/otlp-receiver.ts'
import { endToEnd } from '../end-to-end.ts'
import {
  countProcessorWait,
  emitterOf,
  gapsOf,
  gapsOfLives,
  missingSpans,
  numberOf,
  orphans,
  spansInTrace,
  spansNamed,
  unclosedConnections,
} from '../evidence.ts'
import { atMost, type Check, equals, type ProofContext, type ProofResult, round } from '../proof.ts'
import {
  campaignFault,
  closeFault,
  haveFullMembership,
  isWait,
  openFault,
  type PairLink,
  topologiesOf,
  waitForFullMesh,
} from './mesh.ts'

const nodes = 6
/** From the seed's start, beyond the longest remaining wait and what a process waited for a processor. */
const graceMs = 15_000
/** A node sweeps every 5 s, later by what its process waits for a processor. */
const sweepGapMs = 6_000
const windowMs = 60_000

export const proof = endToEnd({
  name: 'late-seed',
  about: 'six nodes whose seed starts 20 s late find it and each other, and their traces have no gap',
  quick: false,
  seconds: 80,
  async run(context) {
    await using cluster = await startCluster()
    // Every node begins a second window.
    return await runLateSeed(cluster, { lateMs: 20_000, watchMs: 45_000 }, context)
  },
})

/** Facts of the run that the spans do not contain. Times are Unix milliseconds. */
interface Run {
  readonly seed: string
  readonly seedAt: number
  readonly completeAt: number
  readonly links: readonly PairLink[]
  /** Peer id of the node that stopped first; exit codes of all nodes. */
  readonly stopped: string
  readonly exitCodes: readonly number[]
  /** The most that a process waited for a processor, in milliseconds: while the nodes joined, and in all. */
  readonly joinWaitedMs: number
  readonly waitedMs: number
}

/** Six nodes, the seed of which starts `lateMs` after the others; `watchMs` later one stops with goodbyes, then all. */
export async function runLateSeed(
  cluster: Cluster,
  { lateMs, watchMs }: { readonly lateMs: number; readonly watchMs: number },
  { progress }: Pick<ProofContext, 'progress'>,
): Promise<ProofResult> {
  const seeds = [cluster.address('seed')]
  const names = Array.from({ length: nodes - 1 }, (_, index) => `node-${index + 1}`)
  const early = await Promise.all(names.map((name) => cluster.node(name, { seeds })))
  const waitedOfEarly = await countProcessorWait(early)
  progress(`${early.length} nodes wait for their seed, ${lateMs / 1_000} s`)
  await sleep(lateMs)
  const waitedSince = await countProcessorWait(early)
  const seedAt = Date.now()
  const seed = await cluster.node('seed', { role: 'seed' })
  const waitedOfSeed = await countProcessorWait([seed])
  const all = [...early, seed]
  await until(async () => haveFullMembership(await topologiesOf(all)), 60_000, 'all nodes have each other as members')
  const completeAt = Date.now()
  const joinWaitedMs = Math.max(await waitedSince(), (await seed.usage()).waitedMs)
  progress(`membership is complete ${completeAt - seedAt} ms after the seed was started`)
  const links = await waitForFullMesh(all, 30_000)
  await sleep(watchMs)
  const waitedMs = Math.max(await waitedOfEarly(), await waitedOfSeed())
  const [first, ...others] = early as [NodeProcess, ...NodeProcess[]]
  const exitCodes = [await first.stop()]
  progress('one has stopped; now all')
  // The others close their ends before they stop themselves.
  const rest = [...others, seed]
  await until(async () => haveFullMembership(await topologiesOf(rest)), 20_000, 'the others remove the stopped node')
  exitCodes.push(...(await Promise.all(rest.map((node) => node.stop()))))
  const run = { seed: seed.peer, seedAt, completeAt, links, stopped: first.peer, exitCodes, joinWaitedMs, waitedMs }
  return judge(cluster.receiver.spans, run)
}

function judge(spans: readonly ReceivedSpan[], run: Run): ProofResult {
  const campaigns = firstCampaigns(spans)
  const waitMs = longestWaitMs(campaigns, run.seedAt)
  const tookMs = run.completeAt - run.seedAt
  const faults = campaigns.flatMap(({ emitter, fault }) => (fault === '' ? [] : [`${emitter}: ${fault}`]))
  const hasOtherPeer = ({ connected }: Campaign) => connected?.attributes['mesh.peer.id'] !== run.seed
  const checks = [
    equals('campaigns, one for each of the others', nodes - 1, campaigns.length),
    equals('campaigns whose attempts are not their children, 1 2 3 … and then connected', '', faults.join('; ')),
    equals('campaigns without a failed attempt', 0, campaigns.filter(({ retries }) => retries.length === 0).length),
    equals('campaigns that found another peer', 0, campaigns.filter(hasOtherPeer).length),
    atMost('complete membership, after the longest remaining wait', graceMs, tookMs - waitMs - run.joinWaitedMs, 'ms'),
    ...linkChecks(spans, run),
    ...rhythmChecks(spans, run),
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
    longestSweepGapMs: round(longestSweepGap(spans)),
    waitedForProcessorMs: { join: round(run.joinWaitedMs), all: round(run.waitedMs) },
    longestWindowGapMs: round(Math.max(...gapsOf(spansNamed(spans, 'mesh.window')))),
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

function rhythmChecks(spans: readonly ReceivedSpan[], { waitedMs }: Run): Check[] {
  const sweeps = spansNamed(spans, 'mesh.staleness.pruned')
  const windows = spansNamed(spans, 'mesh.window')
  const irregular = gapsOf(windows).filter((gap) => Math.abs(gap - windowMs) > 1_000 + waitedMs)
  const unlinked = windows.filter((span) => numberOf(span, 'mesh.window.seq') > 1 && !isLinkedBack(span, windows))
  return [
    equals('nodes that swept', nodes, new Set(sweeps.map(emitterOf)).size),
    atMost('longest time without a sweep', sweepGapMs + waitedMs, longestSweepGap(spans), 'ms'),
    equals('nodes with windows', nodes, new Set(windows.map(emitterOf)).size),
    equals('windows not a minute after the one before', 0, irregular.length),
    equals('windows not linked to the one before', 0, unlinked.length),
  ]
}

function longestSweepGap(spans: readonly ReceivedSpan[]): number {
  return Math.max(...gapsOfLives(spans, 'mesh.staleness.pruned'))
}

function isLinkedBack(window: ReceivedSpan, windows: readonly ReceivedSpan[]): boolean {
  const seq = numberOf(window, 'mesh.window.seq') - 1
  const before = windows.find((one) => emitterOf(one) === emitterOf(window) && numberOf(one, 'mesh.window.seq') === seq)
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

/** First campaign of one node, from its spans. */
interface Campaign {
  readonly emitter: string
  readonly retries: readonly ReceivedSpan[]
  readonly connected: ReceivedSpan | undefined
  /** What is wrong with it; empty when nothing is. */
  readonly fault: string
}

/** First campaigns of all nodes. */
function firstCampaigns(spans: readonly ReceivedSpan[]): Campaign[] {
  const roots = spansNamed(spans, 'mesh.seed.dial').filter((span) => numberOf(span, 'mesh.seed.campaign') === 1)
  return roots.map((root) => {
    const trace = spansInTrace(spans, root.traceId)
    const retries = spansNamed(trace, 'mesh.seed.retry').sort((a, b) => a.endMs - b.endMs)
    const [connected] = spansNamed(trace, 'mesh.seed.connected')
    const fault = campaignFault(trace, 'mesh.seed.connected') || waitFault(retries)
    return { emitter: emitterOf(root), retries, connected, fault }
  })
}

function waitFault(retries: readonly ReceivedSpan[]): string {
  const wait = (retry: ReceivedSpan) => numberOf(retry, 'mesh.seed.delay_ms')
  // The span rounds it to a millisecond.
  const wrong = retries.findIndex((retry, index) => !isWait(index + 1, wait(retry), 1))
  return retries[wrong] === undefined ? '' : `wait ${wait(retries[wrong])} after attempt ${wrong + 1}`
}

/** The longest remaining wait of any campaign at `atMs` (Unix milliseconds), without attempts in progress. */
function longestWaitMs(campaigns: readonly Campaign[], atMs: number): number {
  const waits = campaigns.map(({ retries }) => {
    const last = retries.filter((retry) => retry.startMs <= atMs).at(-1)
    return last === undefined ? 0 : last.endMs + numberOf(last, 'mesh.seed.delay_ms') - atMs
  })
  return Math.max(0, ...waits)
}
