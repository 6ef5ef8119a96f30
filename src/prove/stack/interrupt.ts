import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rejectOnAbort } from '../../drill/waiting.ts'
import { type Check, equals, type ProofContext } from '../proof.ts'
import { sh } from '../shell.ts'
import { stackEnvironment } from './compose.ts'
import { remainingObjects } from './containers.ts'

/** Until it waits for health: it may build the nodes' image first. */
const waitLimitMs = 600_000
/** Until it has removed the stack: nodes have 10 s, other services 30 s. */
const exitLimitMs = 90_000

/** Sends SIGINT to the process group of deploy/start.sh while it waits for health, as Ctrl-C in a terminal does. */
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
      if (output.includes('healthy; waiting for')) waits.resolve()
    })
  const ended = once(child, 'close')
  const within = (ms: number) => AbortSignal.any([signal, AbortSignal.timeout(ms)])
  try {
    await rejectOnAbort(Promise.race([waits.promise, ended]), within(waitLimitMs))
    const before = await remainingObjects(project, ['container'])
    if (child.exitCode === null) process.kill(-(child.pid ?? 0), 'SIGINT')
    const [code] = (await rejectOnAbort(ended, within(exitLimitMs))) as [number | null]
    const remaining = await remainingObjects(project, ['container', 'network'])
    const hasMessage = /interrupted: stopping/.test(output)
    return [
      { what: 'interrupted: containers by then', want: 'some', got: before.length, holds: before.length > 0 },
      equals('interrupted: exit code', 130, code ?? -1),
      {
        what: 'interrupted: its message',
        want: 'printed',
        got: hasMessage ? 'printed' : output.slice(-1_500),
        holds: hasMessage,
      },
      equals('interrupted: left', '', remaining.join(', ')),
    ]
  } finally {
    if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid ?? 0), 'SIGKILL')
    await sh('deploy/stop.sh --delete-data >/dev/null 2>&1', clone, env, new AbortController().signal)
  }
}
