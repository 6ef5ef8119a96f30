import { randomInt } from 'node:crypto'
import { availableParallelism } from 'node:os'
import type { LabFlags } from '../lab/flags.ts'
import { Lab } from '../lab/lab.ts'
import { paint, plain, recordLines, spanLine } from '../lab/lines.ts'
import type { LabSpan } from '../lab/node-log.ts'
import { sizeWarnings } from '../lab/plan.ts'
import type { LabRecord } from '../lab/record.ts'
import { type LabServer, serveLab } from '../lab/server.ts'
import { LiveTerminal } from '../lab/terminal.ts'
import { exitCodes, type Terminal } from './command.ts'
import type { Stoppable } from './run-until-stopped.ts'
import { hang } from './text-list.ts'

interface ShowOptions extends Omit<LabFlags, 'bridges' | 'jaeger-ui' | 'fault'> {
  readonly bridges: number
  readonly jaegerUi: string | undefined
  readonly faults: LabFlags['fault']
  /** Print only the closing record to standard output. */
  readonly json: boolean
  /** Monotonic milliseconds at the start of the command: `--for` counts from there. */
  readonly startedAt: number
}

/** Starts a lab with its page, its terminal view or plain lines, and the closing record. */
export async function startShow(options: ShowOptions, io: Terminal): Promise<Stoppable> {
  const { json, startedAt, page } = options
  const live = !json && process.stdout.isTTY && process.env['TERM'] !== 'dumb'
  const out = (text: string) => (json ? io.err : io.out)(`${text}\n`)
  const seed = options.seed ?? randomInt(2 ** 32)
  const { promise: ended, resolve: requestStop } = Promise.withResolvers<string>()
  const view: { terminal?: LiveTerminal } = {}
  const colours = json ? plain : paint
  const columns = json ? undefined : io.columns
  const printSpan = (one: LabSpan) => {
    if (view.terminal === undefined) out(spanLine(one, colours, columns))
  }
  const notice = (text: string) => out(hang('', text, columns).join('\n'))
  const log = (text: string) => {
    if (view.terminal === undefined) notice(text)
  }
  notice(`${sizeOf(options)}; seed ${seed}${live ? '' : '. Ctrl-C stops the lab'}.`)
  for (const warning of sizeWarnings(options, {
    availableBytes: process.availableMemory(),
    cores: availableParallelism(),
  }))
    io.err(`${hang('', warning, columns).join('\n')}\n`)
  if (options.otlp === undefined) notice('Starting the trace store …')
  const lab = await Lab.start({ ...options, seed, terminal: live, onSpan: printSpan, log }, startedAt)
  let server: LabServer | undefined
  try {
    if (page !== 'off') notice('Starting the page …')
    server = page === 'off' ? undefined : await serveLab(lab, page)
  } catch (error) {
    await lab.stop('no page')
    throw error
  }
  if (server !== undefined) notice(pageLine(server.url, page))
  notice(
    lab.otlp === 'off'
      ? 'Spans are not exported.'
      : `Spans go to ${lab.otlp}${lab.query ? `, to be read at ${lab.query}` : ''}.`,
  )
  if (live) view.terminal = new LiveTerminal({ lab, page: server?.url, startedAt, quit: requestStop })
  const timer = endAfter(options.for, startedAt, () => requestStop('time is up'))
  return {
    stopRequest: ended,
    stop: async (cause) => {
      clearTimeout(timer)
      view.terminal?.close()
      delete view.terminal
      const record = await lab.stop(cause)
      for (const line of recordLines(record, columns)) out(line)
      if (json) io.out(`${JSON.stringify(record)}\n`)
      await server?.close()
      return exitCodeOf(record)
    },
  }
}

/** A lab that ended before its nodes knew each other shows nothing, good or bad, unless something failed. */
function exitCodeOf({ ok, problems }: LabRecord): number {
  if (problems.length > 0) return exitCodes.failure
  return ok ? exitCodes.ok : exitCodes.inconclusive
}

function sizeOf({ nodes, meshes, bridges }: ShowOptions): string {
  const all = nodes * meshes + bridges
  const bridged = bridges === 0 ? '' : bridges === 1 ? ' and a bridge' : ` and ${bridges} bridges`
  const shape = meshes === 1 ? 'one mesh' : `${meshes} meshes of ${nodes}${bridged}`
  return `${all} nodes: ${shape}`
}

function pageLine(url: string, requested: string): string {
  const port = requested.split(':').at(-1)
  const other = port === '0' || url.endsWith(`:${port}`) ? '' : ` (${requested} is in use)`
  return `Page: ${url}${other}`
}

function endAfter(ms: number | undefined, startedAt: number, end: () => void): NodeJS.Timeout | undefined {
  return ms === undefined ? undefined : setTimeout(end, Math.max(0, ms - (performance.now() - startedAt)))
}
