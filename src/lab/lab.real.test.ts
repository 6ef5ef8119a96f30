import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { until } from '../testing/until.ts'
import { Lab } from './lab.ts'
import { makeWorkspace } from './workspace.ts'

// The pool of `fetch` keeps a connection for some seconds after its last use.
leakCheck({ graceMs: 8_000 })

test('a mesh of three starts, is troubled, heals, and its record names no problem', async () => {
  const lab = await Lab.start({ nodes: 3, meshes: 1, bridges: 0, seed: 3 })
  try {
    const state = (name: string) => lab.nodes().find((node) => node.name === name)?.state
    const members = (name: string) => lab.nodes().find((node) => node.name === name)?.counts.members
    // Those that are late can be started by hand.
    for (const name of ['a-seed-2', 'a-gateway-1']) await lab.start(name, 'same')
    const spawned = await lab.spawn('compute', 'mesh-a')
    const all = ['a-compute-1', 'a-gateway-1', 'a-seed-1', 'a-seed-2']
    assert.equal(spawned, all[0])
    await until(() => all.every((name) => members(name) === 3), 40_000, 'everybody knows everybody')

    await assert.rejects(lab.start('a-seed-1', 'same'), /a-seed-1 cannot be started: it is running/)
    await assert.rejects(lab.spawn('compute', 'mesh-z'), /there is no mesh-z, only mesh-a/)
    await assert.rejects(lab.spawn('bridge', 'mesh-a'), /one mesh only/)

    await lab.pause('a-gateway-1')
    assert.equal(state('a-gateway-1'), 'paused')
    await lab.resume('a-gateway-1')
    await lab.kill('a-compute-1', 'kill')
    assert.equal(state('a-compute-1'), 'killed')
    const before = lab.nodes().find(({ name }) => name === 'a-seed-2')
    await lab.kill('a-seed-2', 'stop')
    assert.equal(state('a-seed-2'), 'stopped')
    await lab.start('a-seed-2', 'same')
    const after = lab.nodes().find(({ name }) => name === 'a-seed-2')
    assert.deepEqual([after?.id, after?.incarnation], [before?.id, 2], 'the same identity, one start later')
    await lab.kill('a-seed-2', 'stop')
    await lab.start('a-seed-2', 'fresh')
    assert.notEqual(lab.nodes().find(({ name }) => name === 'a-seed-2')?.id, before?.id)
    await until(() => (members('a-seed-2') ?? 0) >= 2, 40_000, 'it is a member again')
  } finally {
    const record = await lab.stop('test')
    assert.deepEqual(record.problems, [], JSON.stringify(record))
    assert.equal(record.lost, 0)
    assert.ok((record.spans['mesh.node.started'] ?? 0) >= 5)
  }
})

test('what a lab that crashed has left is removed by the next, what a living one has is not', async () => {
  const first = await makeWorkspace()
  const parent = dirname(first.directory)
  await mkdir(parent, { recursive: true })
  const stale = await mkdtemp(join(parent, 'tracemesh-lab-'))
  // Above what Linux ever gives.
  await writeFile(join(stale, 'pid'), '4194305')
  const second = await makeWorkspace()
  assert.deepEqual([first.directory, stale, second.directory].map(existsSync), [true, false, true])
  first.remove()
  second.remove()
  assert.deepEqual([first.directory, second.directory].map(existsSync), [false, false])
})
