import { Option } from 'commander'
import { type CommandAction, command, exitCodes, type Terminal } from '../commands/command.ts'
import { listText } from './list.ts'
import { recordings } from './recording.ts'
import { shapes } from './shapes.ts'

const sources = ['recorded', 'simulated'] as const

interface RunFlags {
  readonly seed?: string
  readonly source: string
  readonly dir: string
}

interface ScoreFlags {
  readonly runs: string
  readonly cleanRuns: string
  readonly only?: string
  readonly source: string
  readonly dir: string
  readonly json?: boolean
}

interface RecordFlags {
  readonly dir: string
  readonly atOnce: string
}

/** `tracemesh zoo`: known diseases in real nodes, and how well the doctor names them. In a clone only. */
export const zooCommand: CommandAction = async (args, io) => {
  let exitCode: number = exitCodes.ok
  const end = (code: number) => {
    exitCode = code
  }
  const program = command('tracemesh zoo', io).description('Known diseases, and how well the doctor names them.')
  const add = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .allowExcessArguments(false)
      .exitOverride()
      .configureOutput({ writeOut: io.out, writeErr: io.err })
  add('list', 'list the diseases')
    .option('--json', 'as JSON')
    .action(({ json }: { json?: boolean }) => io.out(json === true ? asJson(shapes) : listText()))
  add('run <name>', 'one run: what the doctor says of it')
    .option('--seed <number>', 'of its mutations; without it the run is as recorded')
    .addOption(
      new Option('--source <source>', 'of the spans; `real` starts processes now')
        .choices([...sources, 'real'])
        .default('recorded'),
    )
    .option('--dir <directory>', 'of the recordings', recordings)
    .action(async (name: string, flags: RunFlags) => end(await run(name, flags, io)))
  add('score', 'many runs of every recording')
    .option('--runs <number>', 'of each disease', '20')
    .option('--clean-runs <number>', 'in all', '300')
    .option('--only <pattern>', 'of the names of runs')
    .addOption(new Option('--source <source>', 'of the spans').choices(sources).default('recorded'))
    .option('--dir <directory>', 'of the recordings', recordings)
    .option('--json', 'as JSON')
    .action(async (flags: ScoreFlags) => end(await score(flags, io)))
  add('record [names...]', 'run real processes and record their spans')
    .option('--dir <directory>', 'to write to', recordings)
    .option('--at-once <number>', 'of meshes', '1')
    .action(async (names: string[], flags: RecordFlags) => end(await record(names, flags, io)))
  await program.parseAsync(args, { from: 'user' })
  return exitCode
}

async function run(name: string, { seed, source, dir }: RunFlags, io: Terminal): Promise<number> {
  const { replay, runReal } = await import('./run.ts')
  if (source === 'real') return await runReal(name, io)
  return await replay(name, sourceOf(source), dir, seed === undefined ? undefined : Number(seed), io)
}

async function score({ runs, cleanRuns, only, source, dir, json }: ScoreFlags, io: Terminal): Promise<number> {
  const { scoreAll } = await import('./score-all.ts')
  const { scoreTable } = await import('./score-table.ts')
  const pattern = new RegExp(only ?? '')
  const counts = { runs: Number(runs), cleanRuns: Number(cleanRuns) }
  const report = await scoreAll({ ...counts, pattern, source: sourceOf(source), directory: dir, io })
  io.out(json === true ? asJson(report) : scoreTable(report))
  return report.isPassed ? exitCodes.ok : exitCodes.failure
}

async function record(names: readonly string[], { dir, atOnce }: RecordFlags, io: Terminal): Promise<number> {
  const { recordScenes } = await import('./record.ts')
  return (await recordScenes(names, { directory: dir, atOnce: Number(atOnce), io })) ? exitCodes.ok : exitCodes.failure
}

function asJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

function sourceOf(text: string): (typeof sources)[number] {
  return text === 'simulated' ? text : 'recorded'
}
