import type { Command } from 'commander'
import { command, type Terminal } from '../commands/command.ts'
import { MeshError } from '../core/errors.ts'
import { name, type Rule, whole } from '../kit/rules.ts'
import type { Bench, BenchOptions } from './bench.ts'
import { fanout } from './fanout.ts'
import { idle } from './idle.ts'
import { join } from './join.ts'
import { microBenches } from './micro.ts'
import { bare, control, ours, reference } from './sides.ts'

export const benches: readonly Bench[] = [idle, fanout, join]

/** Every argument of `npm run bench`; `churn` has options of its own. */
export const benchNames: readonly string[] = [...benches, ...microBenches].map((one) => one.name).concat('churn')

/** A parsed command line. */
interface BenchRequest {
  readonly bench: Bench
  readonly options: BenchOptions
  readonly json: boolean
}

type NumberKey = Exclude<keyof BenchOptions, 'peers' | 'bare'>

const numbers: Readonly<Record<NumberKey, { readonly rule: Rule<number>; readonly about: string }>> = {
  nodes: { rule: whole(3, 48, 'processes'), about: 'processes of each side' },
  pairs: { rule: whole(1, 30, 'rounds'), about: 'rounds in which every side is measured once' },
  window: { rule: whole(1, 600, 'seconds'), about: 'length of one measurement' },
  settle: {
    rule: whole(0, 600, 'seconds'),
    about: 'before the first measurement: rest (idle) or warm-up of each side (fanout)',
  },
  rate: { rule: whole(1, 1_000, 'messages per second'), about: 'rate of the publisher (fanout)' },
  bytes: { rule: whole(16, 60_000, 'bytes'), about: 'size of a message (fanout)' },
  seed: { rule: whole(0, 2 ** 32 - 1), about: 'seed of the graph and the intervals' },
}
const maxPeers = 4

/**
 * Parses a command line.
 *
 * @throws MeshError MESH_CONFIG_INVALID for an invalid value, CommanderError for an unknown option.
 */
export function readOptions(args: readonly string[], io: Terminal): BenchRequest {
  const program = createProgram(io).parse(args, { from: 'user' })
  const [benchName = ''] = program.args
  const bench = benches.find((one) => one.name === benchName)
  if (bench === undefined) throw invalid('BENCH', benchName, `one of ${benchNames.join(', ')}`)
  const given = program.opts<Record<string, string | undefined> & { peer?: string[]; json?: boolean; bare?: boolean }>()
  const numberOptions = Object.entries(numbers).map(([key, { rule }]) => {
    const text = given[key]
    return [key, text === undefined ? bench.defaults[key as NumberKey] : parseNumber(`--${key}`, text, rule)] as const
  })
  const others = { peers: parsePeers(given.peer ?? []), bare: given.bare === true }
  const options = { ...bench.defaults, ...Object.fromEntries(numberOptions), ...others }
  return { bench, options, json: given.json === true }
}

function createProgram(io: Terminal): Command {
  const program = command('npm run bench --', io)
    .description(
      'Measure mesh nodes beside stock js-libp2p with gossipsub in one run, in turns; report ratios with their spread.',
    )
    .argument('<bench>', [...benches, ...microBenches].map(({ name: one, about }) => `${one}: ${about}`).join('\n'))
    .addHelpText('after', '\n`npm run bench -- churn --help` describes the bench churn.')
    .option('--json', 'one JSON object on standard output')
    .option('--peer <name=command>', 'measure another program as well; see src/bench/PROTOCOL.md', collect)
    .option('--bare', 'also measure stock with the process settings of a mesh node')
    .allowExcessArguments(false)
    .addHelpText('after', `\nDefaults:\n${defaultsText()}\n\n${exitCodesText}`)
  for (const [key, { rule, about }] of Object.entries(numbers)) {
    program.option(`--${key} <number>`, `${about} (${rule.expected})`)
  }
  return program
}

const exitCodesText = `Exit codes: 0 measured, 1 failed, 2 usage error, 3 void: the machine was too noisy for valid figures.`

function defaultsText(): string {
  const lineOf = ({ name: one, defaults }: Bench) =>
    `  ${one.padEnd(8)}${Object.keys(numbers)
      .map((key) => `${key} ${defaults[key as NumberKey]}`)
      .join(', ')}`
  return benches.map(lineOf).join('\n')
}

function collect(one: string, previous: string[] = []): string[] {
  return [...previous, one]
}

function parseNumber(key: string, text: string, rule: Rule<number>): number {
  const parsed = rule.schema.safeParse(/^\d+$/.test(text) ? Number(text) : Number.NaN)
  if (!parsed.success) throw invalid(key, text, rule.expected)
  return parsed.data
}

function parsePeers(given: readonly string[]): BenchOptions['peers'] {
  const usedNames = [reference, ours, bare, control]
  if (given.length > maxPeers) throw invalid('--peer', `given ${given.length} times`, `at most ${maxPeers}`)
  return given.map((text) => {
    const at = text.indexOf('=')
    const [benchName, words] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)]
    const isValid = name().schema.safeParse(benchName).success && words.trim() !== '' && !usedNames.includes(benchName)
    if (!isValid)
      throw invalid('--peer', text, `name=command, with a name other than ${usedNames.join(', ')} and used once`)
    usedNames.push(benchName)
    return { name: benchName, command: words }
  })
}

function invalid(key: string, given: string, expected: string): MeshError {
  return new MeshError('MESH_CONFIG_INVALID', { key, given, expected })
}
