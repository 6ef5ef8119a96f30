import { type Action, command } from './command.ts'
import { runUntilStopped } from './run-until-stopped.ts'

/** Runs a small mesh on this machine until a signal ends it. */
export const demoCommand: Action = async (args, io) => {
  command('tracemesh demo', io)
    .description('Run two seeds and four nodes on this machine until SIGINT or SIGTERM.')
    .allowExcessArguments(false)
    .parse(args, { from: 'user' })
  return runUntilStopped(async () => {
    const { startDemo } = await import('../lab/demo.ts')
    return startDemo()
  })
}
