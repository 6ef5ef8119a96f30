import { command, type Terminal } from '../../commands/command.ts'
import { MeshError } from '../../core/errors.ts'
import { type Rule, whole } from '../../kit/rules.ts'
import { eventStep } from '../../soak/lives/crowd.ts'
import { type ChurnOptions, churnDefaults } from './churn.ts'

type NumberKey = 'events' | 'rate' | 'settle' | 'rest' | 'seed'

const numbers: Readonly<Record<NumberKey, { readonly rule: Rule<number>; readonly about: string }>> = {
  events: {
    rule: whole(eventStep, 100_000, 'lives'),
    about: `lives at ours, a sixth of them at stock, rounded up to a multiple of ${eventStep}`,
  },
  rate: { rule: whole(1, 200, 'lives per second'), about: 'lives that begin per second, at most' },
  settle: { rule: whole(0, 3_600, 'seconds'), about: 'time without churn before each reading but the last' },
  rest: { rule: whole(1, 3_600, 'seconds'), about: 'time without churn before the last reading' },
  seed: { rule: whole(0, 2 ** 32 - 1), about: 'seed of the bounds' },
}

/**
 * Parses the arguments after `churn`.
 *
 * @throws MeshError MESH_CONFIG_INVALID for an invalid value, CommanderError for an unknown option.
 */
export function readChurnOptions(
  args: readonly string[],
  io: Terminal,
): { readonly options: ChurnOptions; readonly json: boolean } {
  const program = command('npm run bench -- churn', io)
    .description('Peers with fresh identities come and go at a hub; what stays there, ours beside stock js-libp2p.')
    .option('--json', 'one JSON object on standard output')
    .option('--no-stock', 'measure ours alone')
  for (const [key, { rule, about }] of Object.entries(numbers)) {
    program.option(`--${key} <number>`, `${about} (${rule.expected}; default ${churnDefaults[key as NumberKey]})`)
  }
  const given = program.parse(args, { from: 'user' }).opts<Record<string, string | undefined> & Flags>()
  const values = Object.entries(numbers).map(([key, { rule }]) => {
    const text = given[key]
    return [key, text === undefined ? churnDefaults[key as NumberKey] : parseNumber(`--${key}`, text, rule)]
  })
  const options = { ...churnDefaults, ...Object.fromEntries(values), stock: given.stock }
  const events = Math.ceil(options.events / eventStep) * eventStep
  return { options: { ...options, events }, json: given.json === true }
}

interface Flags {
  readonly json?: boolean
  readonly stock: boolean
}

function parseNumber(key: string, text: string, rule: Rule<number>): number {
  const parsed = rule.schema.safeParse(/^\d+$/.test(text) ? Number(text) : Number.NaN)
  if (!parsed.success) throw new MeshError('MESH_CONFIG_INVALID', { key, given: text, expected: rule.expected })
  return parsed.data
}
