import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { exitProblem } from './exit-problem.ts'
import { LabNode } from './lab-node.ts'

leakCheck()

test('a node that never listens: the lab kills it, and its start resolves', async (t) => {
  const { node, problems } = startableNode(t, 'setInterval(() => {}, 1_000)', 400)
  await node.start('same')
  assert.deepEqual([problems, node.state], [['did not listen within 45 s and was killed'], 'killed'])
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
    assert.deepEqual(problems, code === 0 ? [undefined] : ['was stopped and exited with 3: no output on stderr'])
  }
})

/** A node that runs `program`. */
function startableNode(t: TestContext, program: string, startLimitMs: number) {
  const directory = mkdtempSync(join(tmpdir(), 'tracemesh-node-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const entry = join(directory, 'entry.mjs')
  writeFileSync(entry, program)
  const problems: (string | undefined)[] = []
  const node = new LabNode({
    plan: { name: 'a-seed-1', role: 'seed', meshes: ['mesh-a'], startsAtMs: 0 },
    port: 0,
    entry,
    args: () => [],
    keyFile: () => 'key',
    onLine: () => {},
    onExit: (_node, end, requestedAction) => problems.push(exitProblem(end, requestedAction)),
    startLimitMs,
  })
  return { node, problems }
}
