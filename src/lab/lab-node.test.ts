import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { temporaryDirectory } from '../testing/surroundings.ts'
import { exitProblem, LabNode } from './lab-node.ts'

leakCheck()

test('a node that never listens: the lab kills it, and its start resolves', async (t) => {
  const { node, problems } = startableNode(t, 'setInterval(() => {}, 1_000)', 400)
  await node.start('same')
  assert.deepEqual([problems, node.state], [['did not listen within 45 s and was killed'], 'failed'])
})

test('a node that fails during its stop is a problem, an ordered exit is not', async (t) => {
  const stopping = (code: number) =>
    `process.on('SIGTERM', () => process.exit(${code})); setInterval(() => {}, 1_000); console.log('{"msg":"listening"}')`
  for (const code of [0, 3]) {
    const { node, problems } = startableNode(t, stopping(code), 20_000)
    await node.start('same')
    assert.equal(node.state, 'running')
    assert.throws(() => node.start('same'), { code: 'MESH_LAB_REFUSED' })
    await node.stop()
    const expected =
      code === 0 ? [undefined, 'stopped'] : ['was stopped and exited with 3: no output on stderr', 'failed']
    assert.deepEqual([...problems, node.state], expected)
  }
})

test('a node that exits by itself: failed, with the reason', async (t) => {
  const { node, problems } = startableNode(t, `throw new Error('no port')`, 20_000)
  await node.start('same')
  assert.deepEqual([problems, node.state], [['exited by itself with 1: Error: no port'], 'failed'])
})

/** A node that runs `program`. */
function startableNode(t: TestContext, program: string, startLimitMs: number) {
  const entry = join(temporaryDirectory(t), 'entry.mjs')
  writeFileSync(entry, program)
  const problems: (string | undefined)[] = []
  const node = new LabNode({
    plan: { name: 'a-seed-1', role: 'seed', meshes: ['mesh-a'], startsAtMs: 0 },
    port: 0,
    entry,
    args: () => [],
    keyFile: () => 'key',
    onLine: () => {},
    onExit: (_node, problem) => problems.push(problem),
    startLimitMs,
  })
  return { node, problems }
}

test('an exit is a problem unless it is the result of the requested action', () => {
  const fine = { code: 0, signal: null, output: '' }
  const failed = { code: 1, signal: null, output: 'Error: no port\n  at x' }
  const killed = { code: null, signal: 'SIGKILL' as const, output: '' }
  assert.equal(exitProblem(fine, 'stop'), undefined)
  assert.equal(exitProblem(killed, 'kill'), undefined)
  assert.equal(exitProblem(fine, undefined), 'exited by itself with 0: no output on stderr')
  assert.equal(exitProblem(failed, undefined), 'exited by itself with 1: Error: no port')
  assert.equal(exitProblem(failed, 'stop'), 'was stopped and exited with 1: Error: no port')
  assert.equal(exitProblem(killed, 'stop'), 'was stopped and exited with SIGKILL: no output on stderr')
  const terminated = { code: null, signal: 'SIGTERM' as const, output: '' }
  assert.equal(exitProblem(terminated, 'stop-start'), undefined)
  assert.equal(exitProblem(terminated, 'stop'), 'was stopped and exited with SIGTERM: no output on stderr')
  assert.equal(exitProblem(killed, 'stop-start'), 'was stopped and exited with SIGKILL: no output on stderr')
  assert.match(exitProblem(killed, 'start-timeout') ?? '', /did not listen within 45 s/)
})
