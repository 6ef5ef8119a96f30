import { fileURLToPath } from 'node:url'
import { processSettings } from '../launcher.js'

/** A line of a log of ours. */
export type LogEntry = Readonly<Record<string, unknown>>

/** The entry of a line in JSON; `{ msg }` for any other text. */
export function parseLogLine(line: string): LogEntry {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as LogEntry) : { msg: line }
  } catch {
    return { msg: line }
  }
}

/** Flag for a process with an IPC channel that has to die with its parent, even while it is busy. */
export const dieWithParent = `--import=${fileURLToPath(new URL('./die-with-parent.js', import.meta.url))}`

/** The command that runs a module in this Node.js as the launcher does, with these further flags of Node.js. */
export function nodeCommand(entry: string, args: readonly string[] = [], flags: readonly string[] = []): string[] {
  const types = process.execArgv.filter((flag) => flag === '--experimental-strip-types')
  const own = [...types, processSettings.flag, '--disable-warning=ExperimentalWarning', ...flags]
  return [process.execPath, ...own, entry, ...args]
}

/** This process's environment with the settings of the launcher, without those of meshes, telemetry and Node.js. */
export function nodeEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(MESH|OTEL|NODE)_/.test(name) || /^NODE_EXTRA/.test(name),
  )
  return { ...Object.fromEntries(inherited), ...processSettings.env }
}
