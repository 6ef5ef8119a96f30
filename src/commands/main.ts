import { exitCodes } from './command.ts'
import { run } from './program.ts'

// A reader that closes the pipe early (`tracemesh spans | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? exitCodes.ok : exitCodes.failure)
})

process.exitCode = await run(process.argv.slice(2))
