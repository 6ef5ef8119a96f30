import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { MeshError } from '../core/errors.ts'
import type { HeldService, StackControl } from './stack-control.ts'

const run = promisify(execFile)
/** A service has 30 s to stop; then it is killed. */
const limitMs = 90_000
const clone = fileURLToPath(new URL('../../deploy/compose.yaml', import.meta.url))

/** Plugin of the docker command first: version 1 is no longer maintained. */
const commands = [['docker', 'compose'], ['docker-compose']] as const

/**
 * Stops and starts services of the stack that runs from `compose.yaml`: of the current directory, of its `deploy`, or of
 * this clone. `COMPOSE` names another Compose, as it does for `deploy/start.sh`. Throws MESH_STACK_UNHELD when there is no
 * such file, it is of another stack, there is no compose, or nothing of it runs.
 */
export async function composeControl(directory = process.cwd()): Promise<StackControl> {
  const files = [resolve(directory, 'compose.yaml'), resolve(directory, 'deploy/compose.yaml'), clone]
  const file = files.find((one) => existsSync(one))
  if (file === undefined) throw unheld('collector', `there is no compose.yaml: ${files.join(', ')}`)
  // Another stack may have services of these names, too.
  if (!/^x-tracemesh:/m.test(readFileSync(file, 'utf8')))
    throw unheld('collector', `${file} is of another stack; go to the directory of tracemesh's deploy/compose.yaml`)
  const compose = await foundCompose()
  const [program, ...args] = compose
  // In its own directory it finds compose.yaml and .env, whichever version it is.
  const cwd = dirname(file)
  // It would lead Compose to another file, whatever its directory is.
  const env = { ...process.env, COMPOSE_FILE: undefined }
  const act = async (service: HeldService, ...verb: readonly string[]) => {
    try {
      return await run(program, [...args, ...verb, service], { timeout: limitMs, cwd, env })
    } catch (error) {
      throw unheld(service, lastLine(error))
    }
  }
  const { stdout } = await act('collector', 'ps', '-q')
  if (stdout.trim() === '') throw unheld('collector', `nothing of ${file} runs; start it with deploy/start.sh`)
  return { stop: (service) => act(service, 'stop'), start: (service) => act(service, 'start') }
}

async function foundCompose(): Promise<readonly [string, ...string[]]> {
  const [named, ...further] = (process.env['COMPOSE'] ?? '').split(' ').filter((word) => word !== '')
  if (named !== undefined) return [named, ...further]
  for (const [program, ...args] of commands) {
    try {
      await run(program, [...args, 'version'], { timeout: limitMs })
      return [program, ...args]
    } catch {
      // The other one may be there.
    }
  }
  throw unheld('collector', 'neither `docker compose` nor `docker-compose` works here')
}

function unheld(service: HeldService, cause: string): MeshError {
  return new MeshError('MESH_STACK_UNHELD', { service, cause })
}

function lastLine(error: unknown): string {
  const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim().split('\n').at(-1) : ''
  return said || (error instanceof Error ? error.message : String(error))
}
