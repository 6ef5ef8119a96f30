import assert from 'node:assert/strict'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { isMeshError } from '../core/errors.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { setEnvironment, temporaryDirectory } from '../testing/surroundings.ts'
import { composeControl } from './compose-control.ts'

leakCheck()

const directory = temporaryDirectory({ after })

before(async () => {
  await mkdir(join(directory, 'deploy'))
  await writeFile(join(directory, 'deploy/compose.yaml'), 'x-tracemesh: stack\nservices: {}\n')
})

/** Puts a program that logs its arguments on a PATH of its own; returns a reader of the log. */
async function fakeProgram(t: TestContext, name: string, script: string): Promise<() => Promise<string[]>> {
  const bin = temporaryDirectory(t)
  const log = join(bin, 'log')
  await writeFile(join(bin, name), `#!/bin/sh\necho "$*" >> ${log}\n${script}\n`)
  await chmod(join(bin, name), 0o755)
  setEnvironment(t, { PATH: bin })
  return async () => (await readFile(log, 'utf8')).trim().split('\n')
}

const isStackError = (reason: RegExp) => (error: unknown) =>
  isMeshError(error, 'MESH_STACK_UNHELD') && reason.test(error.message)

test('docker compose or docker-compose: either one stops and starts services', async (t) => {
  for (const [name, prefix] of [
    ['docker', 'compose '],
    ['docker-compose', ''],
  ] as const) {
    const calls = await fakeProgram(
      t,
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

test('COMPOSE is set: that command is used', async (t) => {
  const calls = await fakeProgram(t, 'podman', 'echo 1234')
  setEnvironment(t, { COMPOSE: 'podman compose' })
  await composeControl(directory)
  assert.deepEqual(await calls(), ['compose ps -q collector'])
})

test('a stack that start.sh started under another project: found by its record; of several, the one that is named', async (t) => {
  const clone = temporaryDirectory(t)
  const records = join(clone, 'deploy/.started')
  await mkdir(records, { recursive: true })
  await writeFile(join(clone, 'deploy/compose.yaml'), 'x-tracemesh: stack\nservices: {}\n')
  const log = join(clone, 'log')
  const script = `echo "$1 $COMPOSE_PROJECT_NAME $PAGE_PORT" >> ${log}; echo 1234`
  await fakeProgram(t, 'docker-compose', script)
  const seen = () => readFile(log, 'utf8')
  await writeFile(join(records, 'a.env'), "COMPOSE_PROJECT_NAME='a'\nPAGE_PORT='1'\n")
  await (await composeControl(clone)).stop('jaeger')
  assert.match(await seen(), /ps a 1\nstop a 1\n$/)
  await writeFile(join(records, 'b.env'), "COMPOSE_PROJECT_NAME='b'\n")
  await assert.rejects(composeControl(clone), isStackError(/COMPOSE_PROJECT_NAME to one of a, b/))
  setEnvironment(t, { COMPOSE_PROJECT_NAME: 'b' })
  await (await composeControl(clone)).stop('jaeger')
  assert.match(await seen(), /ps b \nstop b \n$/)
})

test('a compose.yaml of another stack, here or in COMPOSE_FILE: refused', async (t) => {
  const calls = await fakeProgram(t, 'docker-compose', 'echo "file $COMPOSE_FILE"')
  const foreign = temporaryDirectory(t)
  await writeFile(join(foreign, 'compose.yaml'), 'services: { collector: {}, jaeger: {}, prometheus: {} }\n')
  await assert.rejects(composeControl(foreign), isStackError(/compose\.yaml belongs to another stack; change to/))
  await assert.rejects(calls(), /ENOENT/)
  setEnvironment(t, { COMPOSE_FILE: join(foreign, 'compose.yaml') })
  const composeCalls = await fakeProgram(t, 'docker-compose', 'echo "$COMPOSE_FILE"')
  await assert.rejects(composeControl(directory), isStackError(/no service of .* is running/))
  assert.deepEqual(await composeCalls(), ['version', 'ps -q collector'])
})

test('no Compose, no running service, a service that does not stop: one error each', async (t) => {
  await fakeProgram(t, 'other', '')
  await assert.rejects(composeControl(directory), isStackError(/neither `docker compose` nor `docker-compose`/))
  await fakeProgram(t, 'docker-compose', '')
  await assert.rejects(composeControl(directory), isStackError(/no service of .* is running/))
  await fakeProgram(t, 'docker-compose', 'case "$*" in *stop*) echo "no such service" >&2; exit 1;; *) echo 1;; esac')
  const control = await composeControl(directory)
  await assert.rejects(control.stop('jaeger') as Promise<unknown>, isStackError(/jaeger .*no such service/))
})
