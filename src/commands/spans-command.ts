import { attributes } from '../catalogue/attributes.ts'
import { specOf } from '../catalogue/span-effect.ts'
import { type SpanName, spans } from '../catalogue/spans.ts'
import { type CommandAction, command, exitCodes } from './command.ts'
import { textList } from './text-list.ts'

/** Prints the span catalogue: one span per line, or all details with `--json`. */
export const spansCommand: CommandAction = async (args, io) => {
  const flags = command('tracemesh spans', io)
    .description('List every span that a node can emit.')
    .option('--json', 'print names, meanings, attributes and their types as JSON')
    .allowExcessArguments(false)
    .parse(args, { from: 'user' })
    .opts<{ json?: boolean }>()
  io.out(flags.json === true ? asJson() : textList(rows(), io.columns, 'spans'))
  return exitCodes.ok
}

const names = Object.keys(spans) as SpanName[]

function asJson(): string {
  const complete = Object.fromEntries(names.map((name) => [name, specOf(spans, name)]))
  return `${JSON.stringify({ spans: complete, attributes }, null, 2)}\n`
}

function rows(): (readonly [string, string])[] {
  return names.map((name) => [name, specOf(spans, name).brief])
}
