import { Command } from 'commander'
import { version } from '../kit/version.ts'
import { type Action, command, settle, type Terminal } from './command.ts'
import { exitCodes } from './exit-codes.ts'

const terminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
}

interface Listed {
  readonly name: string
  readonly summary: string
  /** Loaded only when the command is called: `--help` waits for none of them. */
  load(): Promise<Action>
}

const listed: readonly Listed[] = [
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
  return settle(async () => {
    const [first, ...rest] = args
    const called = find(first)
    if (called !== undefined) return await (await called.load())(rest, io)
    const helped = first === 'help' ? find(rest[0]) : undefined
    if (helped !== undefined) return await (await helped.load())(['--help'], io)
    const program = overview(io)
    if (first === undefined) program.help({ error: true })
    await program.parseAsync(args, { from: 'user' })
    return exitCodes.fine
  }, io)
}

function find(name: string | undefined): Listed | undefined {
  return listed.find((entry) => entry.name === name)
}

/** The program without its commands' insides: `--help`, `--version`, and what to say of a command that is none. */
function overview(io: Terminal): Command {
  const program = command('tracemesh', io)
    .description('A peer-to-peer mesh whose every leak and every retry is diagnosed from its traces.')
    .version(version)
    .addHelpText('after', '\nExit codes: 0 fine, 1 something found, 2 used wrongly, 3 not enough evidence.')
  for (const { name, summary } of listed) program.addCommand(new Command(name).description(summary).usage('[flags]'))
  return program
}
