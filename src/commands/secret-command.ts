import { errorCode, MeshError } from '../core/errors.ts'
import { filePath } from '../node/config-schemas.ts'
import { type FlagTable, readFlags } from '../node/flag-table.ts'
import { addFlags, type CommandAction, command, exitCodes, rawFlags } from './command.ts'

export const secretFlags = {
  out: { description: 'file to create, of mode 600', defaultText: 'standard output', ...filePath() },
} as const satisfies FlagTable

/** Prints a new secret of a mesh, or writes it to a new file. */
export const secretCommand: CommandAction = async (args, io) => {
  const program = command('tracemesh secret', io)
    .description('Make a new secret for a closed mesh: 32 random bytes, the same for all its nodes.')
    .addHelpText('after', '\nMESH_SECRET_FILE names its file to each node.')
    .allowExcessArguments(false)
  addFlags(program, secretFlags)
  program.parse(args, { from: 'user' })
  const { out } = readFlags(secretFlags, rawFlags(program, secretFlags))
  const { createSecret } = await import('../node/credentials/mesh-secret.ts')
  const text = `${createSecret()}\n`
  if (out === undefined) {
    io.out(text)
    return exitCodes.ok
  }
  const { createPrivateFile } = await import('../node/private-file.ts')
  try {
    await createPrivateFile(out, Buffer.from(text))
  } catch (error) {
    const expected = 'a file that does not exist yet, in a writable directory'
    throw new MeshError('MESH_CONFIG_INVALID', { key: '--out', given: `${out} (${errorCode(error)})`, expected })
  }
  return exitCodes.ok
}
