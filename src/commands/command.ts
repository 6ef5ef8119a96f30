import { Command, CommanderError, Option } from 'commander'
import { MeshError } from '../core/errors.ts'
import { describeFlag, type FlagTable, type RawFlags } from '../node/flag-table.ts'

/** Where a command writes; a test passes its own. */
export interface Terminal {
  out(text: string): void
  err(text: string): void
  /** Width of a terminal; undefined for a file or a pipe. */
  readonly columns?: number | undefined
}

/** The terminal of this process. */
export const terminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  get columns() {
    return process.stdout.isTTY ? process.stdout.columns : undefined
  },
}

/** The function of a command. It returns the exit code. */
export type CommandAction = (args: readonly string[], terminal: Terminal) => Promise<number>

/** A commander command that does not exit, and prints to `io`. */
export function command(name: string, io: Terminal): Command {
  return new Command(name)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.err(text),
    })
    .showHelpAfterError(`(see ${name} --help)`)
}

/**
 * Turns a usage error, which commander has printed, or an expected error into exit code 2. With `json` standard output
 * has it as JSON, too.
 */
export async function toExitCode(work: () => Promise<number>, io: Terminal, json = false): Promise<number> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.ok
    if (!(error instanceof CommanderError || error instanceof MeshError)) throw error
    if (json) io.out(errorLine(error))
    if (error instanceof MeshError) io.err(`${error.code}: ${error.message}\n`)
    return exitCodes.usage
  }
}

/** An error as the one line that a command with `--json` prints to standard output in place of its answer. */
export function errorLine({ code, message }: { readonly code: string; readonly message: string }): string {
  return `${JSON.stringify({ error: { code, message } })}\n`
}

/** The exit codes of all commands. */
export const exitCodes = {
  ok: 0,
  /** A problem was found, or a stop was forced. */
  failure: 1,
  /** Invalid flags or settings, or another expected error. */
  usage: 2,
  /** Not enough evidence for a verdict. */
  inconclusive: 3,
} as const

/** Adds the flags of a table to a command. */
export function addFlags(program: Command, table: FlagTable): void {
  for (const [name, flag] of Object.entries(table)) {
    program.addOption(new Option(`--${name} <value>`, describeFlag(flag)))
  }
}

/** The unparsed values of a table's flags, by their names on the command line. */
export function rawFlags(program: Command, table: FlagTable): RawFlags {
  const values = program.opts<Record<string, string | undefined>>()
  const entries = program.options.map(
    (option) => [option.long?.slice(2) ?? '', values[option.attributeName()]] as const,
  )
  return Object.fromEntries(entries.filter(([name]) => name in table))
}
