import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorMessage, MeshError } from '../core/errors.ts'
import { stopWithinMs } from '../lab/stop.ts'
import { readSoakFlags, type SoakOptions, soakFlags } from '../soak/flags.ts'
import type { SoakReport } from '../soak/report.ts'
import { addFlags, type CommandAction, command, errorLine, exitCodes, rawFlags, type Terminal } from './command.ts'
import { host, runUntilStopped } from './run-until-stopped.ts'

/** The last reading, the verdict's export, and the stop of the lab. */
const stopMs = 30_000 + stopWithinMs

/** Lets peers come and go in a mesh, and says from its traces whether something stays. */
export const soakCommand: CommandAction = async (args, io) => {
  const [first, ...livesArgs] = args
  // A process of lives, which a soak starts.
  if (first === 'lives') return runLives(livesArgs)
  const program = command('tracemesh soak', io)
    .description(
      'Let peers join, talk and leave in a lab of its own or in a running mesh, and say from the traces whether ' +
        'anything stays: a reading, the churn, a rest, another reading.',
    )
    .option('--json', 'print only the report, as one line of JSON, to standard output')
    .allowExcessArguments(false)
    .usage('[flags]')
    .addHelpText('after', exitCodeHelp)
  addFlags(program, soakFlags)
  const { json = false } = program.parse(args, { from: 'user' }).opts<{ json?: boolean }>()
  return soak(readSoakFlags(rawFlags(program, soakFlags)), json, io)
}

const exitCodeHelp =
  '\nExit codes: 0 pass, 1 leak, 2 usage error or no answer, 3 undecided: the evidence is not enough for either.'

const codes = { pass: exitCodes.ok, leak: exitCodes.failure, undecided: exitCodes.inconclusive } as const

async function soak(options: SoakOptions, json: boolean, io: Terminal): Promise<number> {
  const { planText } = await import('../soak/report.ts')
  const log = (text: string) => io.err(`soak: ${text}\n`)
  log(planText(options))
  const aborting = new AbortController()
  const run = async (): Promise<number> => {
    const { runSoak } = await import('../soak/soak.ts')
    const report = await runSoak(options, { log, signal: aborting.signal })
    await print(report, json, io)
    if (options.report !== undefined) await save(report, options.report, log)
    return codes[report.verdict]
  }
  return runUntilStopped(
    async () => {
      const code = run().catch((error: unknown) => failureCode(error, aborting.signal, json, io))
      return {
        stopRequest: code.then(() => 'done'),
        stop: (cause) => {
          if (cause !== 'done') log(`${cause}: ending early`)
          aborting.abort(new Error(cause))
          return code
        },
      }
    },
    host,
    stopMs,
  )
}

async function print(report: SoakReport, json: boolean, io: Terminal): Promise<void> {
  const { reportLines } = await import('../soak/report-text.ts')
  io.out(json ? `${JSON.stringify(report)}\n` : `${reportLines(report, io.columns).join('\n')}\n`)
}

async function save(report: SoakReport, directory: string, log: (text: string) => void): Promise<void> {
  const { reportMarkdown } = await import('../soak/markdown.ts')
  try {
    await mkdir(directory, { recursive: true })
    await writeFile(join(directory, 'report.md'), reportMarkdown(report))
    await writeFile(join(directory, 'report.json'), `${JSON.stringify(report, null, 2)}\n`)
    log(`report in ${join(directory, 'report.md')}`)
  } catch (error) {
    log(`no report in ${directory}: ${errorMessage(error)}`)
  }
}

function failureCode(error: unknown, signal: AbortSignal, json: boolean, io: Terminal): number {
  if (signal.aborted) {
    io.err('soak: ended before the churn began\n')
    return exitCodes.inconclusive
  }
  if (json && error instanceof MeshError) io.out(errorLine(error))
  io.err(`${error instanceof MeshError ? `${error.code}: ${error.message}` : String(error)}\n`)
  return error instanceof MeshError ? exitCodes.usage : exitCodes.failure
}

/** It exits by itself, or with its input. */
async function runLives(args: readonly string[]): Promise<number> {
  const { runLivesProcess } = await import('../soak/churn.ts')
  await runLivesProcess(args)
  return exitCodes.ok
}
