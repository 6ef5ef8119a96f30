import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { until } from '../processes/waiting.ts'
import { childrenOf, commandOf } from '../testing/cluster/process-tree.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { Lab } from './lab.ts'
import { makeWorkspace } from './workspace.ts'

// The pool of `fetch` keeps a connection for some seconds after its last use.
leakCheck({ graceMs: 8_000 })

test('a lab of three nodes with kills, stops, pauses and restarts: the record has no problem', async () => {
  const lab = await Lab.start({ nodes: 3, meshes: 1, bridges: 0, seed: 3 })
  try {
    const state = (name: string) => lab.nodes().find((node) => node.name === name)?.state
    const members = (name: string) => lab.nodes().find((node) => node.name === name)?.counts.members
    // On a slow machine late nodes may have started by themselves already.
    for (const name of ['a-seed-2', 'a-gateway-1']) if (state(name) === 'waiting') await lab.startNode(name, 'same')
    const spawned = await Promise.all([lab.spawn('compute', 'mesh-a'), lab.spawn('compute', 'mesh-a')])
    const all = ['a-compute-1', 'a-compute-2', 'a-gateway-1', 'a-seed-1', 'a-seed-2']
    assert.deepEqual(spawned, all.slice(0, 2), 'concurrent spawns get different names')
    await until(() => all.every((name) => members(name) === 4), 40_000, 'all nodes know each other')

    const { recipients } = await lab.publish('a-seed-1', 'hello')
    assert.ok(recipients > 0)
    const received = () => lab.view(false).messages.map(({ node, text }) => `${node} ${text}`)
    await until(
      () => received().filter((line) => /received 5 bytes on lab/.test(line)).length === 4,
      30_000,
      'the other nodes receive the message',
    )
    assert.ok(
      received().some((line) => /^a-seed-1 published “hello” to \d peers?$/.test(line)),
      received().join(),
    )
    await assert.rejects(lab.publish('nobody', 'x'), /unknown node nobody/)

    await assert.rejects(lab.startNode('a-seed-1', 'same'), /a-seed-1 cannot be started: it is running/)
    await assert.rejects(lab.spawn('compute', 'mesh-z'), /unknown mesh mesh-z; the lab has mesh-a/)
    await assert.rejects(lab.spawn('bridge', 'mesh-a'), /a bridge needs two meshes/)

    await lab.pauseNode('a-gateway-1')
    assert.equal(state('a-gateway-1'), 'paused')
    await lab.resumeNode('a-gateway-1')
    await lab.killNode('a-compute-1')
    assert.equal(state('a-compute-1'), 'killed')
    const before = lab.nodes().find(({ name }) => name === 'a-seed-2')
    await lab.stopNode('a-seed-2')
    assert.equal(state('a-seed-2'), 'stopped')
    await lab.startNode('a-seed-2', 'same')
    const after = lab.nodes().find(({ name }) => name === 'a-seed-2')
    assert.deepEqual([after?.id, after?.incarnation], [before?.id, 2], 'the same identity, the next incarnation')
    await lab.stopNode('a-seed-2')
    await lab.startNode('a-seed-2', 'fresh')
    assert.notEqual(lab.nodes().find(({ name }) => name === 'a-seed-2')?.id, before?.id)
    await until(() => (members('a-seed-2') ?? 0) >= 2, 40_000, 'it is a member again')
  } finally {
    await lab.stop('test')
  }
  const record = await lab.stop('asked again')
  assert.deepEqual(record.problems, [], JSON.stringify(record))
  assert.equal(record.lost, 0)
  assert.ok((record.spans['mesh.node.started'] ?? 0) >= 5)
})

test('a killed trace store: the lab restarts it on the same ports, and no span is lost', async () => {
  const lab = await Lab.start({ nodes: 3, meshes: 1, bridges: 0, seed: 3 })
  try {
    const { query, otlp } = lab
    const started = async () => ((await storeStats(query)).names['mesh.node.started'] ?? 0) >= 1
    await until(started, 40_000, 'a node has emitted mesh.node.started')
    const [pid = 0] = childrenOf(process.pid).filter((child) => commandOf(child).includes('store'))
    process.kill(pid, 'SIGKILL')
    const back = () =>
      storeStats(query).then(
        () => true,
        () => false,
      )
    await until(async () => !(await back()), 30_000, 'the store is down')
    await until(back, 30_000, 'the store is up')
    assert.deepEqual([lab.query, lab.otlp], [query, otlp])
  } finally {
    await lab.stop('test')
  }
  const record = await lab.stop('asked again')
  assert.equal(record.lost, 0, JSON.stringify(record))
  assert.deepEqual(record.problems, ['the trace store exited with SIGKILL: no output on stderr; restarting it'])
})

async function storeStats(query: string | undefined): Promise<{ names: Record<string, number> }> {
  const answer = await fetch(`${query}/api/stats`, { signal: AbortSignal.timeout(2_000) })
  return (await answer.json()) as { names: Record<string, number> }
}

test('a new lab removes directories of crashed labs, and keeps those of running labs', async () => {
  const first = await makeWorkspace()
  const parent = dirname(first.directory)
  await mkdir(parent, { recursive: true })
  const stale = await mkdtemp(join(parent, 'tracemesh-lab-'))
  // A lab that has not written its pid yet.
  const early = await mkdtemp(join(parent, 'tracemesh-lab-'))
  await writeFile(join(early, 'pid'), '')
  // Above the maximum pid of Linux.
  await writeFile(join(stale, 'pid'), '4194305')
  const second = await makeWorkspace()
  assert.deepEqual([first.directory, stale, early, second.directory].map(existsSync), [true, false, true, true])
  await rm(early, { recursive: true })
  first.remove()
  second.remove()
  assert.deepEqual([first.directory, second.directory].map(existsSync), [false, false])
})
