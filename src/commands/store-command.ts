import { readStoreFlags, storeFlags } from '../store/flags.ts'
import { keepHeapSmall } from '../store/store.ts'
import { createLogger } from '../telemetry/logger.ts'
import { addFlags, type CommandAction, command, rawFlags } from './command.ts'
import { runUntilStopped } from './run-until-stopped.ts'

/** Runs a trace store until a signal ends it. */
export const storeCommand: CommandAction = async (args, io) => {
  const program = command('tracemesh store', io)
    .description('Run a trace store with the query API of Jaeger, until a signal or --for ends it.')
    .allowExcessArguments(false)
    .usage('[flags]')
  addFlags(program, storeFlags)
  program.parse(args, { from: 'user' })
  const { forMs, ...options } = readStoreFlags(rawFlags(program, storeFlags))
  keepHeapSmall()
  const logger = createLogger({ level: 'info' })
  return runUntilStopped(async () => {
    const { startStore } = await import('../store/store.ts')
    const store = await startStore({ ...options, logger })
    const { file, maxSpans, maxBytes, maxAgeMs } = options
    logger.info({ otlp: store.otlpUrl, query: store.queryUrl, file, maxSpans, maxBytes, maxAgeMs }, 'listening')
    const { promise: ended, resolve: end } = Promise.withResolvers<string>()
    const timer = forMs === undefined ? undefined : setTimeout(() => end('time is up'), forMs)
    return {
      stopRequest: ended,
      stop: async (cause) => {
        clearTimeout(timer)
        await store.close()
        logger.info({ cause }, 'stopped')
      },
    }
  })
}
