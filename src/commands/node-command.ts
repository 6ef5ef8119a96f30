import { Option } from 'commander'
import { calmEngine } from '../node/calm-engine.ts'
import { type Flags, readConfig, settingName } from '../node/config.ts'
import { configEntries, type Setting } from '../node/config-table.ts'
import { type Action, command } from './command.ts'
import { exitCodes } from './exit-codes.ts'
import { runUntilStopped } from './run-until-stopped.ts'

/** Runs one node until a signal ends it. */
export const nodeCommand: Action = async (args, io) => {
  const { config, problems } = readConfig(process.env, flagsOf(args, io))
  if (config === undefined) {
    for (const problem of problems) io.err(`${problem.code}: ${problem.message}\n`)
    io.err('(tracemesh node --help lists every setting)\n')
    return exitCodes.usage
  }
  calmEngine()
  return runUntilStopped(async () => {
    const { startNode } = await import('../node/node.ts')
    return startNode(config)
  })
}

/** Flags as given, by their names. What commander does not know is handed on too: the configuration names it. */
export function flagsOf(args: readonly string[], io: Parameters<Action>[1]): Flags {
  const program = command('tracemesh node', io)
    .description('Run one node of a mesh until SIGINT or SIGTERM. Every flag can be given as an environment variable.')
    .allowUnknownOption()
    .argument('[unknown...]')
    .usage('[flags]')
    .addHelpText('after', `\nIn the environment only:\n${environmentOnly()}`)
    .configureHelp({ visibleArguments: () => [] })
  for (const option of options()) program.addOption(option)
  program.parse(args, { from: 'user' })
  const values = program.opts<Record<string, string | string[]>>()
  const known = options().map((option) => [option.long ?? '', values[option.attributeName()]] as const)
  const unknown = program.args.filter((arg, index) => arg.startsWith('-') || !program.args[index - 1]?.startsWith('-'))
  return Object.fromEntries([
    ...known.filter(([, value]) => value !== undefined),
    ...unknown.map((arg) => [arg.replace(/=.*/s, ''), ''] as const),
  ])
}

function options(): Option[] {
  return configEntries.flatMap(([, setting]) => {
    if (setting.flag === undefined) return []
    const option = new Option(`${setting.flag} <value>`, describe(setting))
    if (setting.list) option.argParser((text, sofar: string[] | undefined) => [...(sofar ?? []), text])
    return [option]
  })
}

function describe({ about, expected, env, fallback, fallbackText, list }: Setting): string {
  const otherwise = fallbackText ?? (fallback === '' ? undefined : fallback)
  const repeated = list ? '; may be repeated' : ''
  const preset = otherwise === undefined ? '' : `; default ${otherwise.replaceAll('`', '')}`
  return `${about} (${expected}${repeated}${preset}; ${env})`
}

function environmentOnly(): string {
  return configEntries
    .filter(([, setting]) => setting.flag === undefined)
    .map(([key, setting]) => `  ${settingName(key)}  ${setting.about} (${setting.expected})`)
    .join('\n')
}
