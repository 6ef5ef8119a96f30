import assert from 'node:assert/strict'
import { test } from 'node:test'
import { version } from '../kit/version.ts'
import { configEntries } from '../node/config-table.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { flagsOf } from './node-command.ts'
import { run } from './program.ts'

leakCheck()

test('--help: lists every command and the exit codes', async () => {
  const { code, out } = await runCommand('--help')
  assert.equal(code, 0)
  for (const word of ['node', 'lab', 'spans', 'Exit codes']) assert.ok(out.includes(word), word)
})

test('--version: prints the version of the package', async () => {
  assert.match(version, /^\d+\.\d+\.\d+/)
  assert.deepEqual(await runCommand('--version'), { code: 0, out: `${version}\n`, err: '' })
})

test('a usage error: exit code 2, with a suggestion', async () => {
  const wrong = [['nod'], ['--hepl'], ['spans', '--jsno'], ['spans', 'extra'], ['lab', '--fast'], ['node', '--seed']]
  for (const args of wrong) {
    const { code, out, err } = await runCommand(...args)
    assert.deepEqual([code, out], [2, ''], args.join(' '))
    assert.match(err, /--help/)
  }
  assert.match((await runCommand('nod')).err, /Did you mean node\?/)
  assert.equal((await runCommand()).code, 2)
})

test('an error with --json: standard output has it as one line of JSON, standard error as text', async () => {
  const cases = [
    [['doctor', '--json', '--from', 'noon'], 2, 'MESH_CONFIG_INVALID', /--from is "noon"/],
    [['doctor', '--json', '--form', 'noon'], 2, 'commander.unknownOption', /unknown option '--form'/],
    [['soak', '--json', '--for', 'long'], 2, 'MESH_CONFIG_INVALID', /--for is "long"/],
  ] as const
  for (const [args, code, name, message] of cases) {
    const answer = await runCommand(...args)
    const { error } = JSON.parse(answer.out) as { error: { code: string; message: string } }
    assert.deepEqual([answer.code, error.code], [code, name], args.join(' '))
    assert.match(error.message, message)
    assert.match(answer.err, message)
  }
})

test('spans: a text list, and JSON with --json', async () => {
  const text = await runCommand('spans')
  assert.match(text.out, /^mesh\.seed\.giveup +\S/m)
  const json = await runCommand('spans', '--json')
  const { spans, attributes } = JSON.parse(json.out) as {
    spans: Record<string, { attributes: string[] }>
    attributes: object
  }
  assert.equal(Object.keys(spans).length, text.out.trimEnd().split('\n').length)
  for (const { attributes: used } of Object.values(spans)) for (const name of used) assert.ok(name in attributes, name)
})

test('node --help: lists every setting with its flag and its variable', async () => {
  for (const args of [
    ['node', '--help'],
    ['help', 'node'],
  ]) {
    const { code, out } = await runCommand(...args)
    assert.equal(code, 0)
    for (const [, { env, flag }] of configEntries) {
      assert.ok(out.includes(env), env)
      if (flag !== undefined) assert.ok(out.includes(flag), flag)
    }
  }
})

test('node with invalid settings: reports each with key, value and allowed values, and starts nothing', async () => {
  const { code, err } = await runCommand('node', '--sede', '/ip4/10.0.0.1/tcp/1', '--role', 'queen', '--stop-ms=0')
  assert.equal(code, 2)
  assert.match(err, /unknown setting --sede; did you mean --seed\?/)
  assert.match(err, /MESH_ROLE \(--role\) is "queen"; expected one of seed/)
  assert.match(err, /MESH_STOP_MS \(--stop-ms\) is "0"; expected a whole number/)
})

test('flags of node: by name, lists as arrays, unknown flags included', () => {
  const args = ['--seed', '/a', '--role', 'seed', '--seed=/b', '--foo=1', '--bar', 'its value', '--admin', 'off']
  assert.deepEqual(flagsOf(args, { out: assert.fail, err: assert.fail }), {
    '--seed': ['/a', '/b'],
    '--role': 'seed',
    '--admin': 'off',
    '--foo': '',
    '--bar': '',
  })
})

async function runCommand(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', '']
  const code = await run(args, {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
  })
  return { code, out, err }
}
