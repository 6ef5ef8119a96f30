import assert from 'node:assert/strict'
import { test } from 'node:test'
import { run } from '../commands/program.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { shapes } from './shapes.ts'

leakCheck()

async function zoo(...args: string[]) {
  const out: string[] = []
  const code = await run(['zoo', ...args], { out: (text) => void out.push(text), err: () => {} })
  return { code, out: out.join('') }
}

test('zoo list: a line per disease, and JSON with --json', async () => {
  const { code, out } = await zoo('list')
  assert.deepEqual([code, out.trimEnd().split('\n').length], [0, shapes.length + 1])
  assert.equal(JSON.parse((await zoo('list', '--json')).out).length, shapes.length)
})

test('zoo with a wrong subcommand or option: exit code 2', async () => {
  for (const args of [['lst'], ['run'], ['run', 'no-such-run'], ['score', '--rns', '2']])
    assert.equal((await zoo(...args)).code, 2, args.join(' '))
})
