import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { version } from '../kit/version.ts'
import { type CommandAction, command, exitCodes, type Terminal, terminal, toExitCode } from './command.ts'

interface CommandEntry {
  readonly name: string
  readonly summary: string
  /** Imports the command when it runs, so that `--help` does not wait for it. */
  load(): Promise<CommandAction>
}

/** Of the clone alone. The path is no literal, so that no bundle includes it. */
const zoo = new URL(['..', 'zoo', 'zoo-command.ts'].join('/'), import.meta.url)

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
    summary: 'run a trace store on this machine, with the query API of Jaeger',
    load: async () => (await import('./store-command.ts')).storeCommand,
  },
  {
    name: 'doctor',
    summary: 'say what leaks or fails in a mesh, from its spans alone',
    load: async () => (await import('./doctor-command.ts')).doctorCommand,
  },
  {
    name: 'drill',
    summary: 'make alerts fire on a running stack, and watch them resolve',
    load: async () => (await import('./drill-command.ts')).drillCommand,
  },
  {
    name: 'soak',
    summary: 'let peers come and go, and say from the traces whether something leaks',
    load: async () => (await import('./soak-command.ts')).soakCommand,
  },
  {
    name: 'cert',
    summary: 'the authority of a closed mesh, and the credentials of its nodes',
    load: async () => (await import('./cert-command.ts')).certCommand,
  },
  {
    name: 'secret',
    summary: 'print a new secret for a closed mesh',
    load: async () => (await import('./secret-command.ts')).secretCommand,
  },
  {
    name: 'spans',
    summary: 'list every span that a node can emit',
    load: async () => (await import('./spans-command.ts')).spansCommand,
  },
  ...(existsSync(zoo)
    ? [
        {
          name: 'zoo',
          summary: 'known diseases, planted in real nodes, and how well the doctor names them',
          load: async () => ((await import(zoo.href)) as { readonly zooCommand: CommandAction }).zooCommand,
        },
      ]
    : []),
]

/** Runs one command line, without the program name, to its exit code. Throws only for defects. */
export function run(args: readonly string[], io: Terminal = terminal): Promise<number> {
  return toExitCode(
    async () => {
      const [first, ...rest] = args
      const entry = findEntry(first)
      if (entry !== undefined) return await (await entry.load())(rest, io)
      const helpEntry = first === 'help' ? findEntry(rest[0]) : undefined
      if (helpEntry !== undefined) return await (await helpEntry.load())(['--help'], io)
      const program = createProgram(io)
      if (first === undefined) program.help({ error: true })
      await program.parseAsync(args, { from: 'user' })
      return exitCodes.ok
    },
    io,
    args.includes('--json'),
  )
}

function findEntry(name: string | undefined): CommandEntry | undefined {
  return entries.find((entry) => entry.name === name)
}

/** The program without its commands: `--help`, `--version`, and the error for an unknown command. */
function createProgram(io: Terminal): Command {
  const program = command('tracemesh', io)
    .description('A peer-to-peer mesh whose traces explain every leak and every retry.')
    .version(version)
    .addHelpText('after', '\nExit codes: 0 ok, 1 problems found, 2 usage error, 3 inconclusive.')
  for (const { name, summary } of entries) program.addCommand(new Command(name).description(summary).usage('[flags]'))
  return program
}
