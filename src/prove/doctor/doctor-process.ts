import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Report } from '../../doctor/report/report.ts'
import { mebibytesOf } from '../../lab/process-usage.ts'
import { nodeCommand, nodeEnvironment } from '../../processes/node-program.ts'
import { Subprocess } from '../../processes/subprocess.ts'
import { type ProofContext, round } from '../proof.ts'

const pollMs = 200

/** Runs the command, and returns its answer and what it took: seconds, CPU seconds and peak RSS in MB. */
export async function runDoctor(args: readonly string[], { progress }: ProofContext) {
  const startedMs = performance.now()
  const lines: string[] = []
  const used = { rssMb: 0, cpuSeconds: 0 }
  const doctor = new Subprocess({
    name: 'the doctor',
    command: nodeCommand(join(import.meta.dirname, '../../commands/main.ts'), ['doctor', '--json', ...args]),
    env: nodeEnvironment(),
    onLine: (line) => lines.push(line),
    onErrorLine: progress,
  })
  const timer = setInterval(() => void sample(doctor.pid, used).catch(() => {}), pollMs)
  await doctor.exited.finally(() => clearInterval(timer))
  const [line] = lines
  if (line === undefined) throw new Error(`tracemesh doctor ${args.join(' ')} has printed no diagnosis`)
  return {
    ...(JSON.parse(line) as Report),
    usage: { seconds: round((performance.now() - startedMs) / 1_000), ...used },
  }
}

/** Peak memory and CPU time of a process so far. */
async function sample(pid: number, used: { rssMb: number; cpuSeconds: number }): Promise<void> {
  const mebibytes = mebibytesOf(await readFile(`/proc/${pid}/status`, 'utf8'), 'VmHWM')
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ')
  const ticks = Number(fields[11]) + Number(fields[12])
  used.rssMb = Math.max(used.rssMb, round((mebibytes * 1_048_576) / 1e6))
  used.cpuSeconds = Math.max(used.cpuSeconds, ticks / 100)
}
