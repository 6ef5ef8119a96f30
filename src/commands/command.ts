import { Command, CommanderError } from 'commander'
import { MeshError } from '../core/errors.ts'
import { exitCodes } from './exit-codes.ts'

/** Where a command writes; a test passes its own. */
export interface Terminal {
  out(text: string): void
  err(text: string): void
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

/** Turns a usage error, which commander has printed, or an expected error into an exit code. */
export async function toExitCode(work: () => Promise<number>, io: Terminal): Promise<number> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
    if (!(error instanceof MeshError)) throw error
    io.err(`${error.code}: ${error.message}\n`)
    return exitCodes.usage
  }
}
