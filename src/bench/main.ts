import { exitCodes, terminal as io, toExitCode } from '../commands/command.ts'
import { errorMessage } from '../core/errors.ts'
import { runBench } from './bench.ts'
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
  if (micro !== undefined) return runMicro(micro, process.argv.includes('--json'))
  const { bench, options, json } = readOptions(process.argv.slice(2), io)
  if (process.platform !== 'linux') {
    io.err('cannot measure on this system: CPU and memory come from /proc, which only Linux has\n')
    return exitCodes.inconclusive
  }
  const seconds = Math.round(bench.seconds(options))
  io.err(`${bench.name}: ${bench.about}; about ${seconds} s\n`)
  const progress = (text: string) => io.err(`${bench.name}: ${text}\n`)
  try {
    const report = await runBench(bench, options, { progress, signal: abort.signal })
    io.out(json ? `${JSON.stringify(report)}\n` : formatReport(report))
    return report.noise.void ? exitCodes.inconclusive : exitCodes.ok
  } catch (error) {
    if (abort.signal.aborted) return interruptedCode
    io.err(`${bench.name}: ${errorMessage(error)}\n`)
    return exitCodes.failure
  }
}

async function runMicro({ name, about, seconds, run }: MicroBench, json: boolean): Promise<number> {
  io.err(`${name}: ${about}; about ${seconds} s\n`)
  const report = await run({ progress: (text) => io.err(`${name}: ${text}\n`) })
  io.out(json ? `${JSON.stringify({ name, ...report })}\n` : readableMicro(report))
  return exitCodes.ok
}

function interrupt(signal: NodeJS.Signals): void {
  if (abort.signal.aborted) return
  io.err(`${signal}: ending all processes\n`)
  abort.abort(new Error('interrupted'))
  setTimeout(() => process.exit(interruptedCode), unwindMs).unref()
}
