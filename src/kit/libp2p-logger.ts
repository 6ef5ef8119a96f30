import type { ComponentLogger, Logger } from '@libp2p/interface'
import type { LogLine, MeshLogger } from '../telemetry/log.ts'

/** A line with the placeholders of libp2p's loggers: `%s` text, `%o` object, `%e` error. */
interface Line {
  readonly format: string
  readonly values: readonly unknown[]
}

/**
 * The mesh's lines in libp2p's own log, under `tracemesh`: warnings and errors as its errors (`tracemesh:error`), trace
 * lines as its trace (`tracemesh:trace`). As all of libp2p it prints only what the variable `DEBUG` selects.
 */
export function libp2pLogger(components: ComponentLogger): MeshLogger {
  const log = components.forComponent('tracemesh')
  // The type does not declare them, but the parts of a logger of @libp2p/logger have switches of their own.
  const isEnabled = (part: object) => ('enabled' in part ? part.enabled === true : log.enabled)
  const print = (part: (format: string, ...values: unknown[]) => void): LogLine => {
    return (fields: object | string, message?: string) => {
      const { format, values } = lineOf(fields, message)
      part(format, ...values)
    }
  }
  const info = print((format, ...values) => log(format, ...values))
  const error = print((format, ...values) => log.error(format, ...values))
  const trace = print((format, ...values) => log.trace(format, ...values))
  return {
    isLevelEnabled: (level) => {
      if (level === 'trace') return isEnabled(log.trace)
      return level === 'debug' || level === 'info' ? log.enabled : isEnabled(log.error)
    },
    trace,
    debug: info,
    info,
    warn: error,
    error,
    fatal: error,
  }
}

function lineOf(fieldsOrText: object | string, message = ''): Line {
  if (typeof fieldsOrText === 'string') return { format: '%s', values: [fieldsOrText] }
  const { err, ...fields } = fieldsOrText as { readonly err?: unknown }
  if (err instanceof Error) return { format: '%s %o - %e', values: [message, fields, err] }
  return { format: '%s %o', values: [message, fieldsOrText] }
}

const nothing = () => {}
const mute: Logger = Object.assign(nothing, { error: nothing, trace: nothing, enabled: false, newScope: () => mute })
/** Formatting unread log lines costs libp2p more than sending. */
export const silentLibp2p: ComponentLogger = { forComponent: () => mute }
