import { type AlertName, alertNames, firesWithinMs } from '../catalogue/alerts/alerts.ts'
import { isMeshError, MeshError } from '../core/errors.ts'
import { drillFlags } from '../drill/flags.ts'
import { type DrillResult, resultLine, seconds } from '../drill/judge.ts'
import { type FlagValues, nearest, readFlags } from '../node/flag-table.ts'
import { addFlags, type CommandAction, command, exitCodes, rawFlags, type Terminal } from './command.ts'
import { host, runUntilStopped } from './run-until-stopped.ts'
import { hang, textList } from './text-list.ts'

/** Restarting a service that a drill stopped may take most of a minute, then nodes stop within 6 s. */
const stopMs = 90_000

type Flags = FlagValues<typeof drillFlags>

interface DrillRequest extends Flags {
  readonly alerts: readonly AlertName[]
  /** Print only results to standard output. */
  readonly json: boolean
}

/** Makes alerts fire on a running stack, and resolve. */
export const drillCommand: CommandAction = async (args, io) => {
  const program = command('tracemesh drill', io)
    .description(
      'Make alerts fire on a running stack, with additional nodes of the drill, and watch them resolve: inactive ' +
        'before, firing within the stated time after the cause, resolved after the repair.',
    )
    .argument('<alert...>', 'alert names, or all; list prints them')
    .option('--json', 'print one JSON line per alert to standard output, and progress to standard error')
    .usage('<alert...>|all|list [flags]')
    .addHelpText('after', exitCodeHelp)
  addFlags(program, drillFlags)
  program.parse(args, { from: 'user' })
  const { json = false } = program.opts<{ json?: boolean }>()
  const flags = readFlags(drillFlags, rawFlags(program, drillFlags))
  const namedAlerts = program.args.filter((name) => name !== 'list' && name !== 'all').map(parseAlertName)
  if (program.args.includes('list')) return list(flags['time-factor'], json, io)
  const alerts = program.args.includes('all') ? alertNames : [...new Set(namedAlerts)]
  return drill({ ...flags, alerts, json }, io)
}

const exitCodeHelp =
  '\nExit codes: 0 all fired and resolved, 1 an alert did not or was late, 2 usage error, 3 inconclusive: an alert ' +
  'was firing already, its cause could not be created, or the stack does not answer.'

async function drill(request: DrillRequest, io: Terminal): Promise<number> {
  const { alerts, json, otlp, prometheus, alertmanager } = request
  const { runDrills } = await import('../drill/run.ts')
  const stack = request.stack === 'compose' ? await loadComposeControl() : undefined
  const aborting = new AbortController()
  const { signal } = aborting
  const log = (text: string) => io.err(`${text}\n`)
  const onResult = (result: DrillResult) => {
    const line = resultLine(result)
    io.out(`${json ? JSON.stringify(result) : hang(line.slice(0, 4), line.slice(4), io.columns).join('\n')}\n`)
  }
  const endpoints = {
    otlp,
    prometheus,
    alertmanager,
    timeFactor: request['time-factor'],
    atOnce: request['at-once'],
    traceRoutine: request['trace-routine'],
  }
  return runUntilStopped(
    async () => {
      const running = runDrills({ ...endpoints, alerts, stack, signal, log, onResult })
      const code = running.then(codeOf, (error: unknown) => reportFailure(error, io))
      return {
        stopRequest: code.then(() => 'done'),
        stop: (cause) => {
          if (cause !== 'done') log(`${cause}: repairing and stopping everything`)
          aborting.abort(new Error(cause))
          return code
        },
      }
    },
    host,
    stopMs,
  )
}

async function loadComposeControl() {
  const { composeControl } = await import('../drill/compose-control.ts')
  return composeControl()
}

/** A failed drill has precedence over one that is not shown. */
function codeOf(results: readonly DrillResult[]): number {
  if (results.some(({ verdict }) => verdict === 'failed')) return exitCodes.failure
  return results.every(({ ok }) => ok) ? exitCodes.ok : exitCodes.inconclusive
}

/** A stack that does not answer makes the drill inconclusive. */
function reportFailure(error: unknown, io: Terminal): number {
  io.err(`${error instanceof MeshError ? `${error.code}: ${error.message}` : String(error)}\n`)
  return isMeshError(error, 'MESH_STACK_UNREACHABLE') ? exitCodes.inconclusive : exitCodes.failure
}

function parseAlertName(name: string): AlertName {
  const match = alertNames.find((alert) => alert === name)
  if (match !== undefined) return match
  const suggestion = nearest(name, alertNames)
  const expected = `an alert, all or list; ${suggestion === '' ? 'list prints the alerts' : `did you mean ${suggestion}?`}`
  throw new MeshError('MESH_CONFIG_INVALID', { key: 'alert', given: JSON.stringify(name.slice(0, 100)), expected })
}

async function list(timeFactor: number, json: boolean, io: Terminal): Promise<number> {
  const { scenarioOf } = await import('../drill/scenarios.ts')
  const lines = alertNames.map((alert) => {
    const { description, name: scenario, holdsStack = false } = scenarioOf(alert)
    return { alert, statedMs: firesWithinMs(alert, timeFactor), scenario, about: description, holdsStack }
  })
  const rows = lines.map(({ alert, statedMs, scenario, about, holdsStack }) => {
    const name = `${alert.padEnd(26)} ${seconds(statedMs).padStart(7)}  ${scenario.padEnd(12)}`
    return [name, `${about}${holdsStack ? ' (needs --stack)' : ''}`] as const
  })
  io.out(json ? lines.map((line) => `${JSON.stringify(line)}\n`).join('') : textList(rows, io.columns, 'alerts'))
  return exitCodes.ok
}
