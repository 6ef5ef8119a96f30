import { setFlagsFromString } from 'node:v8'
import { Option } from 'commander'
import { addFlags, type CommandAction, command, rawFlags } from './command.ts'
import { doctorFlags, readDoctorFlags } from './doctor/flags.ts'
import { host, runUntilStopped } from './run-until-stopped.ts'

/** The last spans of a diagnosis may take so long to leave, in milliseconds. */
const stopMs = 20_000

/** Says what leaks or fails in a mesh, from its spans alone. */
export const doctorCommand: CommandAction = async (args, io) => {
  const program = command('tracemesh doctor', io)
    .description(
      'Say what leaks or fails in a mesh, in which node, since when and how sure, from its spans alone. The nodes may be ' +
        'gone: their spans are enough.',
    )
    .addOption(
      new Option(
        '--file <path...>',
        'files or directories of the Collector’s file exporter, in place of a trace store',
      ),
    )
    .option('--json', 'print one JSON line per diagnosis to standard output, and progress to standard error')
    .option('--probe-counts', 'with --probe, also count the objects of some constructors: pauses the node for a second')
    .option('--watch', 'diagnose again and again, and print what has changed')
    .allowExcessArguments(false)
    .usage('[flags]')
    .addHelpText('after', exitCodeHelp)
  addFlags(program, doctorFlags)
  program.parse(args, { from: 'user' })
  const { file: files = [], json = false, watch = false, probeCounts = false } = program.opts<Partial<Options>>()
  const flags = readDoctorFlags(rawFlags(program, doctorFlags), { files, json, watch, probeCounts })
  // Nearly all that a reading allocates is garbage at once: a young generation that does not grow halves its memory.
  setFlagsFromString('--semi-space-growth-factor=1')
  return runUntilStopped(
    async () => {
      const { startDoctor } = await import('./doctor/run.ts')
      return startDoctor(flags, io)
    },
    host,
    stopMs,
  )
}

interface Options {
  readonly file: readonly string[]
  readonly json: boolean
  readonly watch: boolean
  readonly probeCounts: boolean
}

const exitCodeHelp =
  '\nExit codes: 0 healthy, 1 findings, 2 usage error, 3 unclear: not enough evidence, or the trace store does not answer.'
