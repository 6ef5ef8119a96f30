import { Option } from 'commander'
import { type CommandAction, command, exitCodes, type Terminal } from '../commands/command.ts'
import { host, runUntilStopped } from '../commands/run-until-stopped.ts'
import { MeshError } from '../core/errors.ts'
import { listText } from './list.ts'
import { recordings } from './recording.ts'
import { shapes } from './shapes.ts'

const sources = ['recorded', 'simulated'] as const

interface RunFlags {
  readonly seed?: string
  readonly source?: string
  readonly dir: string
  readonly atOnce: string
  readonly again?: boolean
  readonly keep?: boolean
  readonly page: string
}

/** The processes of some meshes stop. */
const stopMs = 60_000

const runHelp =
  '\n`four-days` is a demo: a lab with the five leaks of a soak of four days, which the doctor names in five minutes.' +
  '\nAny other run takes three minutes. An interrupted series goes on with the same command: results are in .tracemesh/zoo, by ' +
  'commit and rules.\nExit codes: 0 all right, 1 a wrong or late answer, 2 usage error, 3 not all have run.'

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
  add('run <names...>', 'run meshes of real processes, and say what the doctor says of each; `all` is every one')
    .option('--at-once <number>', 'of meshes', '1')
    .option('--keep', 'of four-days: the lab and its page stay until Ctrl-C')
    .option('--page <address>', 'of four-days: listen address of its page', '127.0.0.1:16700')
    .option('--again', 'also those that have a result of this commit and these rules')
    .addOption(
      new Option('--source <source>', 'of the spans; default real, or with --seed recorded').choices([
        'real',
        ...sources,
      ]),
    )
    .option('--seed <number>', 'of the mutations of one recorded run; without it the run is as recorded')
    .option('--dir <directory>', 'of the recordings', recordings)
    .addHelpText('after', runHelp)
    .action(async (names: string[], flags: RunFlags) => end(await run(names, flags, io)))
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

async function run(names: readonly string[], flags: RunFlags, io: Terminal): Promise<number> {
  if (names.includes('four-days')) return runDemo(names, flags, io)
  const { seed, source = seed === undefined ? 'real' : 'recorded', dir, atOnce, again = false } = flags
  if (source === 'real') {
    const { scenesNamed } = await import('./scenes.ts')
    const scenes = scenesNamed(names)
    const { runReal } = await import('./real/run-real.ts')
    return untilInterrupted((signal) => runReal(scenes, { atOnce: Number(atOnce), again, io, signal }))
  }
  const { replay } = await import('./run.ts')
  const codes: number[] = []
  for (const name of names)
    codes.push(await replay(name, sourceOf(source), dir, seed === undefined ? undefined : Number(seed), io))
  return Math.max(...codes)
}

/** The demo: a lab with the five leaks of a soak of four days. */
async function runDemo(names: readonly string[], { keep = false, page }: RunFlags, io: Terminal): Promise<number> {
  if (names.length > 1)
    throw new MeshError('MESH_CONFIG_INVALID', { key: 'name', given: names.join(' '), expected: 'four-days alone' })
  const { runFourDays } = await import('./four-days/four-days.ts')
  const log = (text: string) => io.out(`${text}\n`)
  return untilInterrupted(async (signal) => {
    try {
      await using lab = await runFourDays({ page, log, signal, columns: io.columns })
      const isNamed = lab.leaks.every(({ finding }) => finding !== undefined)
      if (keep) {
        log(`\nthe traces behind each line: ${lab.page}; Ctrl-C ends the lab`)
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
      }
      return isNamed ? exitCodes.ok : exitCodes.failure
    } catch (error) {
      if (!signal.aborted) throw error
      log('stopped before the end')
      return exitCodes.inconclusive
    }
  })
}

/** Runs work that a signal ends early and in order. */
async function untilInterrupted(work: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const aborting = new AbortController()
  const code = work(aborting.signal)
  const start = async () => ({
    stopRequest: code.then(
      () => 'done',
      () => 'failed',
    ),
    stop: (cause: string) => {
      aborting.abort(new Error(cause))
      return code
    },
  })
  return runUntilStopped(start, host, stopMs)
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
