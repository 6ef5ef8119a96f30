import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { isMeshError } from '../core/errors.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { composeControl } from './compose-control.ts'

leakCheck()

const path = process.env['PATH']
let directory = ''

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tracemesh-compose-'))
  await mkdir(join(directory, 'deploy'))
  await writeFile(join(directory, 'deploy/compose.yaml'), 'x-tracemesh: stack\nservices: {}\n')
})

after(async () => {
  process.env['PATH'] = path
  await rm(directory, { recursive: true, force: true })
})

/** A program of that name that notes how it was called; nothing else is on the path but the shell's own. */
async function fakeProgram(name: string, script: string): Promise<() => Promise<string[]>> {
  const bin = await mkdtemp(join(directory, 'bin-'))
  const log = join(bin, 'log')
  await writeFile(join(bin, name), `#!/bin/sh\necho "$*" >> ${log}\n${script}\n`)
  await chmod(join(bin, name), 0o755)
  process.env['PATH'] = bin
  return async () => (await readFile(log, 'utf8')).trim().split('\n')
}

const isStackError = (reason: RegExp) => (error: unknown) =>
  isMeshError(error, 'MESH_STACK_UNHELD') && reason.test(error.message)

test('services are stopped and started by whichever compose there is', async () => {
  for (const [name, prefix] of [
    ['docker', 'compose '],
    ['docker-compose', ''],
  ] as const) {
    const calls = await fakeProgram(
      name,
      'test "$1" = version || test "$2" = version || test -f compose.yaml && echo 1234',
    )
    const control = await composeControl(directory)
    await control.stop('collector')
    await control.start('jaeger')
    assert.deepEqual(await calls(), [
      `${prefix}version`,
      `${prefix}ps -q collector`,
      `${prefix}stop collector`,
      `${prefix}start jaeger`,
    ])
  }
})

test('COMPOSE names another one', async () => {
  const calls = await fakeProgram('podman', 'echo 1234')
  process.env['COMPOSE'] = 'podman compose'
  await composeControl(directory)
  delete process.env['COMPOSE']
  assert.deepEqual(await calls(), ['compose ps -q collector'])
})

test('the stack of somebody else is left alone, whether its file is here or named by COMPOSE_FILE', async () => {
  const calls = await fakeProgram('docker-compose', 'echo "file $COMPOSE_FILE"')
  const foreign = await mkdtemp(join(directory, 'foreign-'))
  await writeFile(join(foreign, 'compose.yaml'), 'services: { collector: {}, jaeger: {}, prometheus: {} }\n')
  await assert.rejects(composeControl(foreign), isStackError(/compose\.yaml is of another stack; go to/))
  await assert.rejects(calls(), /ENOENT/)
  process.env['COMPOSE_FILE'] = join(foreign, 'compose.yaml')
  const composeCalls = await fakeProgram('docker-compose', 'echo "$COMPOSE_FILE"')
  await assert.rejects(composeControl(directory), isStackError(/nothing of .* runs/))
  delete process.env['COMPOSE_FILE']
  assert.deepEqual(await composeCalls(), ['version', 'ps -q collector'])
})

test('no compose, nothing that runs, and a service that cannot be stopped are each said', async () => {
  await fakeProgram('other', '')
  await assert.rejects(composeControl(directory), isStackError(/neither `docker compose` nor `docker-compose`/))
  await fakeProgram('docker-compose', '')
  await assert.rejects(composeControl(directory), isStackError(/nothing of .* runs/))
  await fakeProgram('docker-compose', 'case "$*" in *stop*) echo "no such service" >&2; exit 1;; *) echo 1;; esac')
  const control = await composeControl(directory)
  await assert.rejects(control.stop('jaeger') as Promise<unknown>, isStackError(/^jaeger .*no such service/))
})
