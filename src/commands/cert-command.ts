import type { FlagTable, FlagValues } from '../node/flag-table.ts'
import { readFlags } from '../node/flag-table.ts'
import { certFlags } from './cert/flags.ts'
import { addFlags, type CommandAction, command, exitCodes, rawFlags, type Terminal } from './command.ts'

/** `tracemesh cert`: the authority of a closed mesh, and the credentials of its nodes. */
export const certCommand: CommandAction = async (args, io) => {
  let exitCode: number = exitCodes.ok
  const program = command('tracemesh cert', io)
    .description('The authority of a closed mesh, and the credentials that it signs for nodes.')
    .addHelpText('after', '\nExit codes: 0 ok, 1 a credential is not valid, 2 usage error.')
  const add = <T extends FlagTable>(
    usage: string,
    description: string,
    table: T,
    run: (operands: readonly string[], flags: FlagValues<T>, io: Terminal) => Promise<number>,
  ) => {
    const part = program.command(usage).description(description).exitOverride()
    part.configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) })
    addFlags(part, table)
    part.action(async () => {
      exitCode = await run(part.args, readFlags(table, rawFlags(part, table)), io)
    })
  }
  const { createKey, signFile, renewFile, revokeAll } = await import('./cert/authority-actions.ts')
  const { printRequest, showAll } = await import('./cert/node-actions.ts')
  add('ca <key-file>', 'create the key of an authority; keep it away from nodes', certFlags.ca, createKey)
  add('request', 'print what a node asks an authority to sign', certFlags.request, printRequest)
  add('sign <request-file>', 'sign the request of a node', certFlags.sign, signFile)
  add('show <files...>', 'print what credentials say, and whether they are valid', certFlags.show, showAll)
  add('renew <file>', 'sign the credentials of a file again, valid from now on', certFlags.renew, renewFile)
  add('revoke <files...>', 'put credentials on the list of revocations', certFlags.revoke, revokeAll)
  await program.parseAsync(args, { from: 'user' })
  return exitCode
}
