import { bridgesOf, labFlags, readLabFlags } from '../lab/flags.ts'
import { stopWithinMs } from '../lab/stop.ts'
import { addFlags, type CommandAction, command, rawFlags } from './command.ts'
import { host, runUntilStopped } from './run-until-stopped.ts'

/** Runs whole meshes on this machine until a signal, a key or `--for` ends them. */
export const labCommand: CommandAction = async (args, io) => {
  const startedAt = performance.now()
  const program = command('tracemesh lab', io)
    .description('Run whole meshes on this machine, with a trace store and a page, until q, SIGINT or --for ends them.')
    .option('--json', 'print only the closing record to standard output, and progress to standard error')
    .allowExcessArguments(false)
    .usage('[flags]')
    .addHelpText('after', exitCodeHelp)
  addFlags(program, labFlags)
  const { json = false } = program.parse(args, { from: 'user' }).opts<{ json?: boolean }>()
  const flags = readLabFlags(rawFlags(program, labFlags))
  const start = async () => {
    const { startShow } = await import('./lab-show.ts')
    const { 'jaeger-ui': jaegerUi, fault: faults, ...rest } = flags
    return startShow({ ...rest, jaegerUi, faults, bridges: bridgesOf(flags), json, startedAt }, io)
  }
  return runUntilStopped(start, host, stopWithinMs)
}

const exitCodeHelp =
  '\nExit codes: 0 all healthy, 1 the closing record has problems, 2 usage error, 3 ended before all nodes knew each other.'
