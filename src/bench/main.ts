import { exitCodes, terminal as io, toExitCode } from '../commands/command.ts'
import { errorMessage } from '../core/errors.ts'
import { type BenchContext, runBench } from './bench.ts'
import { churnSeconds, runChurn } from './churn/churn.ts'
import { readChurnOptions } from './churn/options.ts'
import { formatChurn } from './churn/report.ts'
import { type MicroBench, microBenches, readableMicro } from './micro.ts'
import { readOptions } from './options.ts'
import { formatReport } from './report.ts'

/** Limit for ending processes after an interrupt, in milliseconds; the rest exit at the end of their input. */
const unwindMs = 6_000
const interruptedCode = 130

const abort = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt)

process.exitCode = await toExitCode(main, io)

async function main(): Promise<number> {
  const micro = microBenches.find(({ name }) => name === process.argv[2])
  if (micro !== undefined) return measure(micro, (context) => runMicro(micro, process.argv.includes('--json'), context))
  if (process.argv[2] === 'churn') return churn(process.argv.slice(3))
  const { bench, options, json } = readOptions(process.argv.slice(2), io)
  if (!canMeasure()) return exitCodes.inconclusive
  return measure({ ...bench, seconds: bench.seconds(options) }, async (context) => {
    const report = await runBench(bench, options, context)
    io.out(json ? `${JSON.stringify(report)}\n` : formatReport(report))
    return report.noise.void ? exitCodes.inconclusive : exitCodes.ok
  })
}

async function churn(args: readonly string[]): Promise<number> {
  const { options, json } = readChurnOptions(args, io)
  if (!canMeasure()) return exitCodes.inconclusive
  const about = 'what a hub holds after peers with fresh identities came and went'
  return measure({ name: 'churn', about, seconds: churnSeconds(options) }, async (context) => {
    const report = await runChurn(options, context)
    io.out(json ? `${JSON.stringify(report)}\n` : formatChurn(report))
    return exitCodes.ok
  })
}

function canMeasure(): boolean {
  if (process.platform === 'linux') return true
  io.err('cannot measure on this system: CPU and memory come from /proc, which only Linux has\n')
  return false
}

async function runMicro({ name, run }: MicroBench, json: boolean, context: BenchContext): Promise<number> {
  const report = await run(context)
  io.out(json ? `${JSON.stringify({ name, ...report })}\n` : readableMicro(report))
  return exitCodes.ok
}

/** Announces a bench, runs it, and turns an interrupt or an error into an exit code. */
async function measure(
  { name, about, seconds }: Pick<MicroBench, 'name' | 'about' | 'seconds'>,
  run: (context: BenchContext) => Promise<number>,
): Promise<number> {
  io.err(`${name}: ${about}; about ${Math.round(seconds)} s\n`)
  try {
    return await run({ progress: (text) => io.err(`${name}: ${text}\n`), signal: abort.signal })
  } catch (error) {
    if (abort.signal.aborted) return interruptedCode
    io.err(`${name}: ${errorMessage(error)}\n`)
    return exitCodes.failure
  }
}

function interrupt(signal: NodeJS.Signals): void {
  if (abort.signal.aborted) return
  io.err(`${signal}: ending all processes\n`)
  abort.abort(new Error('interrupted'))
  setTimeout(() => process.exit(interruptedCode), unwindMs).unref()
}
