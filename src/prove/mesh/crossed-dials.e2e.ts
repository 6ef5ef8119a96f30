import { percentile } from '../../bench/statistics.ts'
import { CrossedDialsMesh, type Round } from '../../testing/cluster/crossed-dials-mesh.ts'
import { endToEnd } from '../end-to-end.ts'
import { sum } from '../evidence.ts'
import { atMost, type Check, each, equals, type ProofContext, type ProofResult, round } from '../proof.ts'

const rounds = 200

const nodes = 4
const pairs = (nodes * (nodes - 1)) / 2
const ways = nodes * (nodes - 1)
/** Claimed time until a pair has one link, in milliseconds. */
const claimed = { p99: 1_000, max: 3_000 }

export const aboutCrossedDials = (rounds: number) =>
  `four processes dial each other at the same instant, ${rounds} times: each pair keeps one link, the same on both ends, and messages pass both ways`

export const proof = endToEnd({
  name: 'crossed-dials',
  about: aboutCrossedDials(rounds),
  quick: false,
  seconds: 200,
  run: (context) => runCrossedDials(rounds, context),
})

/** In each round all nodes dial all others over QUIC. A round ends with every link closed. */
export async function runCrossedDials(rounds: number, { signal, progress }: ProofContext): Promise<ProofResult> {
  await using mesh = await CrossedDialsMesh.start(nodes, signal)
  progress(`${nodes} nodes listen`)
  const results: Round[] = []
  for (let number = 1; number <= rounds; number++) {
    results.push(await mesh.round(number))
    if (number % 10 === 0) progress(`${number} of ${rounds} rounds`)
  }
  return { figures: figures(results, mesh.spanCounts), checks: checks(results) }
}

function figures(rounds: readonly Round[], spanCounts: Readonly<Record<string, number>>): Record<string, unknown> {
  return {
    rounds: rounds.length,
    pairs,
    'one link after ms': spread(rounds.flatMap((round) => settledTimes(round))),
    'of the first round alone, which warms up': spread(rounds.slice(0, 1).flatMap((round) => settledTimes(round))),
    'gossip delivered after ms': spread(rounds.flatMap((round) => round.deliveryMs)),
    'pairs that had two connections': sum(rounds.map(({ crossed }) => crossed)),
    'gossip duplicates': sum(rounds.map(({ duplicates }) => duplicates)),
    'connections opened, both ends': spanCounts['mesh.connection.opened'] ?? 0,
    'connections superseded, both ends': spanCounts['mesh.connection.superseded'] ?? 0,
    'goodbyes sent': spanCounts['mesh.goodbye.sent'] ?? 0,
    'goodbyes received': spanCounts['mesh.goodbye.received'] ?? 0,
    'connections closed, both ends': spanCounts['mesh.connection.closed'] ?? 0,
    'failed dials': rounds.flatMap((round) => round.failedDials).slice(0, 5),
    'failed requests': rounds.flatMap((round) => round.requestErrors).slice(0, 5),
  }
}

function checks(rounds: readonly Round[]): Check[] {
  const times = rounds.flatMap((round) => settledTimes(round))
  const missing = pairs * rounds.length - times.length
  const crossed = sum(rounds.map(({ crossed }) => crossed))
  const within = (share: number) => (missing > 0 ? Number.NaN : percentile(times, share))
  // With fewer pairs the slowest hundredth is a single pair of the first round, in which all code is cold; and a short
  // run is one of many tests on a busy machine.
  const tail = times.length < 1_000 ? [] : [atMost('99 of 100 pairs: to one link', claimed.p99, within(0.99), 'ms')]
  return [
    equals('pairs without one link, the same on both ends', 0, missing),
    ...tail,
    atMost('every pair: to one link', claimed.max, within(1), 'ms'),
    equals('pairs that changed their link before the round’s end', 0, sum(rounds.map(({ changed }) => changed))),
    each('rounds in which a request each way per pair was answered', 'all', rounds, isAnswered),
    each('rounds in which a message of each node reached each other', 'all', rounds, isDelivered),
    // Without crossed dials the nodes have nothing to resolve.
    {
      what: 'pairs whose dials crossed',
      want: 'at least half',
      got: crossed,
      holds: crossed * 2 >= pairs * rounds.length || 'not shown',
    },
  ]
}

const isAnswered = ({ answered }: Round) => answered === ways
const isDelivered = ({ deliveryMs }: Round) => deliveryMs.length === ways

function settledTimes(round: Round): number[] {
  return round.settledMs.filter((ms) => ms !== undefined)
}

function spread(values: readonly number[]): Record<'p50' | 'p90' | 'p99' | 'max', number> {
  const at = (share: number) => round(percentile(values, share))
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
}
