import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { orAborted } from '../../drill/waiting.ts'
import { type Check, equals, type ProofContext } from '../proof.ts'
import { sh } from '../shell.ts'
import { stackEnvironment } from './compose.ts'
import { leftOf } from './containers.ts'

/** Until it waits for health: it may have to build the nodes' image first. */
const waitsWithinMs = 600_000
/** Until it has taken down what it brought up: nodes have 10 s, what shows them 30 s. */
const endsWithinMs = 90_000

/** Ctrl-C while deploy/start.sh of `clone` waits for health: the whole process group is told, as a terminal does. */
export async function checkInterrupt(clone: string, compose: string, { signal }: ProofContext): Promise<Check[]> {
  const project = `tracemesh-interrupt-${process.pid}`
  const env = await stackEnvironment(compose, project)
  const child = spawn('/bin/bash', ['deploy/start.sh', '--offline', '--nodes', '1'], {
    cwd: clone,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let output = ''
  const waits = Promise.withResolvers<void>()
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (output.includes('are well; waiting for')) waits.resolve()
    })
  const ended = once(child, 'close')
  const within = (ms: number) => AbortSignal.any([signal, AbortSignal.timeout(ms)])
  try {
    await orAborted(Promise.race([waits.promise, ended]), within(waitsWithinMs))
    const before = await leftOf(project, ['container'])
    if (child.exitCode === null) process.kill(-(child.pid ?? 0), 'SIGINT')
    const [code] = (await orAborted(ended, within(endsWithinMs))) as [number | null]
    const left = await leftOf(project, ['container', 'network'])
    const said = /interrupted: taking down/.test(output)
    return [
      { what: 'interrupted: containers by then', want: 'some', got: before.length, holds: before.length > 0 },
      equals('interrupted: exit code', 130, code ?? -1),
      { what: 'interrupted: what it says', want: 'so', got: said ? 'so' : output.slice(-1_500), holds: said },
      equals('interrupted: what is left', '', left.join(', ')),
    ]
  } finally {
    if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid ?? 0), 'SIGKILL')
    await sh('deploy/stop.sh --delete-data >/dev/null 2>&1', clone, env, new AbortController().signal)
  }
}
