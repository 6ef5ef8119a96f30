import { Option } from 'commander'
import { type Flags, readConfig, settingName } from '../node/config.ts'
import { configEntries, type Setting } from '../node/config-table.ts'
import { tuneV8 } from '../node/v8-flags.ts'
import { type CommandAction, command, exitCodes } from './command.ts'
import { runUntilStopped } from './run-until-stopped.ts'

/** Runs one node until a signal ends it. */
export const nodeCommand: CommandAction = async (args, io) => {
  const result = readConfig(process.env, flagsOf(args, io))
  const { config } = result
  if (config === undefined) {
    for (const problem of result.problems) io.err(`${problem.code}: ${problem.message}\n`)
    io.err('(tracemesh node --help lists all settings)\n')
    return exitCodes.usage
  }
  for (const warning of result.warnings) io.err(`${warning}\n`)
  tuneV8()
  return runUntilStopped(async () => {
    const { startNode } = await import('../node/node.ts')
    return startNode(config)
  })
}

/** Unparsed values by flag. Unknown flags are included, so that the configuration reports them with a suggestion. */
export function flagsOf(args: readonly string[], io: Parameters<CommandAction>[1]): Flags {
  const program = command('tracemesh node', io)
    .description('Run one node of a mesh until SIGINT or SIGTERM. Every flag can be given as an environment variable.')
    .allowUnknownOption()
    .argument('[unknown...]')
    .usage('[flags]')
    .addHelpText('after', `\nIn the environment only:\n${environmentOnly()}`)
    .configureHelp({ visibleArguments: () => [] })
  for (const option of flagOptions()) program.addOption(option)
  program.parse(args, { from: 'user' })
  const values = program.opts<Record<string, string | string[]>>()
  const recognized = flagOptions().map((option) => [option.long ?? '', values[option.attributeName()]] as const)
  const unrecognized = program.args.filter(
    (arg, index) => arg.startsWith('-') || !program.args[index - 1]?.startsWith('-'),
  )
  return Object.fromEntries([
    ...recognized.filter(([, value]) => value !== undefined),
    ...unrecognized.map((arg) => [arg.replace(/=.*/s, ''), ''] as const),
  ])
}

function flagOptions(): Option[] {
  return configEntries.flatMap(([, setting]) => {
    if (setting.flag === undefined) return []
    const option = new Option(`${setting.flag} <value>`, describeSetting(setting))
    if (setting.list) option.argParser((text, previous: string[] | undefined) => [...(previous ?? []), text])
    const { formerly } = setting
    return formerly === undefined ? [option] : [option, new Option(`${formerly.flag} <value>`).hideHelp()]
  })
}

function describeSetting({ description, expected, env, defaultValue, defaultText, list }: Setting): string {
  const defaultShown = defaultText ?? (defaultValue === '' ? undefined : defaultValue)
  const repeated = list ? '; may be repeated' : ''
  const preset = defaultShown === undefined ? '' : `; default ${defaultShown.replaceAll('`', '')}`
  return `${description} (${expected}${repeated}${preset}; ${env})`
}

function environmentOnly(): string {
  return configEntries
    .filter(([, setting]) => setting.flag === undefined)
    .map(([key, setting]) => `  ${settingName(key)}  ${setting.description} (${setting.expected})`)
    .join('\n')
}
