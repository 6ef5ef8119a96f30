import { execFile } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv, promisify } from 'node:util'
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
 * clone. `COMPOSE` sets another Compose and `COMPOSE_PROJECT_NAME` another stack, as for `deploy/start.sh`. Throws
 * MESH_STACK_UNHELD when the file is missing or belongs to another stack, Compose is missing, or not exactly one stack
 * runs.
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
  const runCompose = async (settings: Settings, service: StackService, ...verb: readonly string[]) => {
    // COMPOSE_FILE would override the working directory.
    const env = { ...process.env, ...settings, COMPOSE_FILE: undefined }
    try {
      return await run(program, [...args, ...verb, service], { timeout: limitMs, cwd, env })
    } catch (error) {
      throw stackError(service, lastLine(error))
    }
  }
  const running: Settings[] = []
  for (const settings of startedStacks(cwd)) {
    const { stdout } = await runCompose(settings, 'collector', 'ps', '-q')
    if (stdout.trim() !== '') running.push(settings)
  }
  const [settings] = running
  if (settings === undefined)
    throw stackError('collector', `no service of ${file} is running; start it with deploy/start.sh`)
  if (running.length > 1) {
    const names = running.map(({ COMPOSE_PROJECT_NAME }) => COMPOSE_PROJECT_NAME).join(', ')
    throw stackError('collector', `several stacks of ${file} are running; set COMPOSE_PROJECT_NAME to one of ${names}`)
  }
  return {
    stop: (service) => runCompose(settings, service, 'stop'),
    start: (service) => runCompose(settings, service, 'start'),
  }
}

type Settings = NodeJS.Dict<string>

/** Settings with which deploy/start.sh has started each stack; without any, those of deploy/.env. */
function startedStacks(deploy: string): readonly Settings[] {
  const records = globSync(join(deploy, '.started/*.env')).map((file) => parseEnv(readFileSync(file, 'utf8')))
  const chosen = process.env['COMPOSE_PROJECT_NAME']
  if (chosen) return [records.find(({ COMPOSE_PROJECT_NAME }) => COMPOSE_PROJECT_NAME === chosen) ?? {}]
  return records.length > 0 ? records : [{}]
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
