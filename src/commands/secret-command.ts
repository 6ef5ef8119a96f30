import { type CommandAction, command, exitCodes } from './command.ts'

/** Prints a new secret of a mesh. */
export const secretCommand: CommandAction = async (args, io) => {
  command('tracemesh secret', io)
    .description('Print a new secret for a closed mesh: 32 random bytes, the same for all its nodes.')
    .addHelpText('after', '\nKeep it in a file of mode 600, which MESH_SECRET_FILE names.')
    .allowExcessArguments(false)
    .parse(args, { from: 'user' })
  const { createSecret } = await import('../node/credentials/mesh-secret.ts')
  io.out(`${createSecret()}\n`)
  return exitCodes.ok
}
