import { Command } from 'commander'
import { version } from '../kit/version.ts'
import { type CommandAction, command, type Terminal, toExitCode } from './command.ts'
import { exitCodes } from './exit-codes.ts'

const terminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
}

interface CommandEntry {
  readonly name: string
  readonly summary: string
  /** Loaded only when the command is called: `--help` waits for none of them. */
  load(): Promise<CommandAction>
}

const entries: readonly CommandEntry[] = [
  {
    name: 'node',
    summary: 'run one node of a mesh',
    load: async () => (await import('./node-command.ts')).nodeCommand,
  },
  {
    name: 'lab',
    summary: 'run whole meshes on this machine, with a trace store and a page',
    load: async () => (await import('./lab-command.ts')).labCommand,
  },
  {
    name: 'store',
    summary: 'keep traces on this machine, and answer for them as Jaeger does',
    load: async () => (await import('./store-command.ts')).storeCommand,
  },
  {
    name: 'drill',
    summary: 'make alerts ring on a running stack, and see them end',
    load: async () => (await import('./drill-command.ts')).drillCommand,
  },
  {
    name: 'spans',
    summary: 'list every span a node can tell',
    load: async () => (await import('./spans-command.ts')).spansCommand,
  },
]

/** Runs one command line, program name left out, to its exit code. Throws only what is a defect. */
export function run(args: readonly string[], io: Terminal = terminal): Promise<number> {
  return toExitCode(async () => {
    const [first, ...rest] = args
    const entry = findEntry(first)
    if (entry !== undefined) return await (await entry.load())(rest, io)
    const helpEntry = first === 'help' ? findEntry(rest[0]) : undefined
    if (helpEntry !== undefined) return await (await helpEntry.load())(['--help'], io)
    const program = createProgram(io)
    if (first === undefined) program.help({ error: true })
    await program.parseAsync(args, { from: 'user' })
    return exitCodes.ok
  }, io)
}

function findEntry(name: string | undefined): CommandEntry | undefined {
  return entries.find((entry) => entry.name === name)
}

/** The program without its commands' insides: `--help`, `--version`, and what to say of a command that is none. */
function createProgram(io: Terminal): Command {
  const program = command('tracemesh', io)
    .description('A peer-to-peer mesh whose every leak and every retry is diagnosed from its traces.')
    .version(version)
    .addHelpText('after', '\nExit codes: 0 fine, 1 something found, 2 used wrongly, 3 not enough evidence.')
  for (const { name, summary } of entries) program.addCommand(new Command(name).description(summary).usage('[flags]'))
  return program
}
