import type { Command } from 'commander'
import { command, type Terminal } from '../commands/command.ts'
import { MeshError } from '../core/errors.ts'
import { name, type Rule, whole } from '../kit/rules.ts'
import type { Bench, BenchOptions } from './bench.ts'
import { fanout } from './fanout.ts'
import { idle } from './idle.ts'
import { join } from './join.ts'
import { again, bare, own, reference } from './side.ts'

export const benches: readonly Bench[] = [idle, fanout, join]

/** What was asked for. */
export interface Asked {
  readonly bench: Bench
  readonly options: BenchOptions
  readonly json: boolean
}

type NumberKey = Exclude<keyof BenchOptions, 'peers' | 'bare'>

const numbers: Readonly<Record<NumberKey, { readonly rule: Rule<number>; readonly about: string }>> = {
  nodes: { rule: whole(3, 48, 'processes'), about: 'processes of each side' },
  pairs: { rule: whole(1, 30, 'rounds'), about: 'rounds in which every side is measured once' },
  window: { rule: whole(1, 600, 'seconds'), about: 'length of one measurement' },
  settle: { rule: whole(0, 600, 'seconds'), about: 'before the first: quiet (idle), or each side warming up (fanout)' },
  rate: { rule: whole(1, 1_000, 'messages per second'), about: 'what the publisher says (fanout)' },
  bytes: { rule: whole(16, 60_000, 'bytes'), about: 'size of a message (fanout)' },
  seed: { rule: whole(0, 2 ** 32 - 1), about: 'draws the graph and the intervals' },
}
const mostPeers = 4

/**
 * Reads a command line.
 *
 * @throws MeshError MESH_CONFIG_INVALID for a value that is not allowed, CommanderError for what is no flag.
 */
export function readOptions(args: readonly string[], io: Terminal): Asked {
  const program = programOf(io).parse(args, { from: 'user' })
  const [called = ''] = program.args
  const bench = benches.find((one) => one.name === called)
  if (bench === undefined) throw invalid('BENCH', called, `one of ${benches.map((one) => one.name).join(', ')}`)
  const given = program.opts<Record<string, string | undefined> & { peer?: string[]; json?: boolean; bare?: boolean }>()
  const chosen = Object.entries(numbers).map(([key, { rule }]) => {
    const text = given[key]
    return [key, text === undefined ? bench.defaults[key as NumberKey] : numberOf(`--${key}`, text, rule)] as const
  })
  const others = { peers: peersOf(given.peer ?? []), bare: given.bare === true }
  const options = { ...bench.defaults, ...Object.fromEntries(chosen), ...others }
  return { bench, options, json: given.json === true }
}

function programOf(io: Terminal): Command {
  const program = command('npm run bench --', io)
    .description(
      'Measures mesh nodes beside stock js-libp2p with gossipsub: in the same run, in turns, as ratios with their spread.',
    )
    .argument('<bench>', benches.map(({ name: one, about }) => `${one}: ${about}`).join('\n'))
    .option('--json', 'one JSON object on standard output')
    .option('--peer <name=command>', 'measure another program beside them; see src/bench/PROTOCOL.md', gather)
    .option('--bare', 'measure stock with the process settings of a mesh node, too')
    .allowExcessArguments(false)
    .addHelpText('after', `\nDefaults:\n${defaultsText()}\n\n${codes}`)
  for (const [key, { rule, about }] of Object.entries(numbers)) {
    program.option(`--${key} <number>`, `${about} (${rule.expected})`)
  }
  return program
}

const codes = `Exit codes: 0 measured, 1 something failed, 2 used wrongly, 3 void: the machine was too uneasy for the figures to count.`

function defaultsText(): string {
  const shown = ({ name: one, defaults }: Bench) =>
    `  ${one.padEnd(8)}${Object.keys(numbers)
      .map((key) => `${key} ${defaults[key as NumberKey]}`)
      .join(', ')}`
  return benches.map(shown).join('\n')
}

function gather(one: string, sofar: string[] = []): string[] {
  return [...sofar, one]
}

function numberOf(key: string, text: string, rule: Rule<number>): number {
  const parsed = rule.schema.safeParse(/^\d+$/.test(text) ? Number(text) : Number.NaN)
  if (!parsed.success) throw invalid(key, text, rule.expected)
  return parsed.data
}

function peersOf(given: readonly string[]): BenchOptions['peers'] {
  const taken = [reference, own, bare, again]
  if (given.length > mostPeers) throw invalid('--peer', `given ${given.length} times`, `at most ${mostPeers}`)
  return given.map((text) => {
    const at = text.indexOf('=')
    const [called, words] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)]
    const fits = name().schema.safeParse(called).success && words.trim() !== '' && !taken.includes(called)
    if (!fits) throw invalid('--peer', text, `name=command, with a name other than ${taken.join(', ')} and used once`)
    taken.push(called)
    return { name: called, command: words }
  })
}

function invalid(key: string, given: string, expected: string): MeshError {
  return new MeshError('MESH_CONFIG_INVALID', { key, given, expected })
}
