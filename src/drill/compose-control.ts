import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { errorMessage, MeshError } from '../core/errors.ts'
import type { StackControl, StackService } from './scenario.ts'

const run = promisify(execFile)
/** Longer than the 30 s after which Compose kills a service that does not stop. */
const limitMs = 90_000
const clone = fileURLToPath(new URL('../../deploy/compose.yaml', import.meta.url))

/** The docker plugin comes first: Compose version 1 is no longer maintained. */
const commands = [['docker', 'compose'], ['docker-compose']] as const

/**
 * Stops and starts services of the stack in `compose.yaml`: of the current directory, of its `deploy`, or of this
 * clone. `COMPOSE` sets another Compose, as for `deploy/start.sh`. Throws MESH_STACK_UNHELD when the file is missing or
 * belongs to another stack, Compose is missing, or the stack does not run.
 */
export async function composeControl(directory = process.cwd()): Promise<StackControl> {
  const files = [resolve(directory, 'compose.yaml'), resolve(directory, 'deploy/compose.yaml'), clone]
  const file = files.find((one) => existsSync(one))
  if (file === undefined) throw stackError('collector', `no compose.yaml in ${files.join(', ')}`)
  // Another stack may have services of these names, too.
  if (!/^x-tracemesh:/m.test(readFileSync(file, 'utf8')))
    throw stackError(
      'collector',
      `${file} belongs to another stack; change to the directory of tracemesh's deploy/compose.yaml`,
    )
  const compose = await findCompose()
  const [program, ...args] = compose
  // Every version of Compose finds compose.yaml and .env in its working directory.
  const cwd = dirname(file)
  // COMPOSE_FILE would override the working directory.
  const env = { ...process.env, COMPOSE_FILE: undefined }
  const runCompose = async (service: StackService, ...verb: readonly string[]) => {
    try {
      return await run(program, [...args, ...verb, service], { timeout: limitMs, cwd, env })
    } catch (error) {
      throw stackError(service, lastLine(error))
    }
  }
  const { stdout } = await runCompose('collector', 'ps', '-q')
  if (stdout.trim() === '')
    throw stackError('collector', `no service of ${file} is running; start it with deploy/start.sh`)
  return { stop: (service) => runCompose(service, 'stop'), start: (service) => runCompose(service, 'start') }
}

async function findCompose(): Promise<readonly [string, ...string[]]> {
  const [program, ...args] = (process.env['COMPOSE'] ?? '').split(' ').filter((word) => word !== '')
  if (program !== undefined) return [program, ...args]
  for (const [program, ...args] of commands) {
    try {
      await run(program, [...args, 'version'], { timeout: limitMs })
      return [program, ...args]
    } catch {
      // The other command may exist.
    }
  }
  throw stackError('collector', 'neither `docker compose` nor `docker-compose` works')
}

function stackError(service: StackService, cause: string): MeshError {
  return new MeshError('MESH_STACK_UNHELD', { service, cause })
}

function lastLine(error: unknown): string {
  const lastErrorLine =
    error instanceof Error && 'stderr' in error ? String(error.stderr).trim().split('\n').at(-1) : ''
  return lastErrorLine || errorMessage(error)
}
