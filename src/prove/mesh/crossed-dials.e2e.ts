import { CrossedDialsMesh, type Round } from '../../testing/cluster/crossed-dials-mesh.ts'
import { endToEnd } from '../end-to-end.ts'
import { atMost, type Check, each, equals, type ProofContext, type ProofResult, round as rounded } from '../proof.ts'

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
    'pairs that had two connections': sum(rounds, (round) => round.crossed),
    'gossip duplicates': sum(rounds, (round) => round.duplicates),
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
  const crossed = sum(rounds, (round) => round.crossed)
  const within = (share: number) => (missing > 0 ? Number.NaN : quantile(times, share))
  // With fewer pairs the slowest hundredth is a single pair of the first round, in which all code is cold; and a short
  // run is one of many tests on a busy machine.
  const tail = times.length < 1_000 ? [] : [atMost('99 of 100 pairs: to one link', claimed.p99, within(0.99), 'ms')]
  return [
    equals('pairs without one link, the same on both ends', 0, missing),
    ...tail,
    atMost('every pair: to one link', claimed.max, within(1), 'ms'),
    equals(
      'pairs that changed their link before the round’s end',
      0,
      sum(rounds, (round) => round.changed),
    ),
    each(
      'rounds in which a request each way per pair was answered',
      'all',
      rounds,
      ({ answered }) => answered === ways,
    ),
    each(
      'rounds in which a message of each node reached each other',
      'all',
      rounds,
      (one) => one.deliveryMs.length === ways,
    ),
    // Without crossed dials the nodes have nothing to resolve.
    {
      what: 'pairs whose dials crossed',
      want: 'at least half',
      got: crossed,
      holds: crossed * 2 >= pairs * rounds.length || 'not shown',
    },
  ]
}

function settledTimes(round: Round): number[] {
  return round.settledMs.filter((ms) => ms !== undefined)
}

function sum(rounds: readonly Round[], of: (round: Round) => number): number {
  return rounds.reduce((total, round) => total + of(round), 0)
}

function spread(values: readonly number[]): Record<'p50' | 'p90' | 'p99' | 'max', number> {
  const at = (share: number) => rounded(quantile(values, share))
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
}

/** The lowest value that `share` of all values do not exceed. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}
