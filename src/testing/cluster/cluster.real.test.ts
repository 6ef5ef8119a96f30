import assert from 'node:assert/strict'
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { nodeCommand } from '../../processes/node-program.ts'
import { Subprocess } from '../../processes/subprocess.ts'
import { leakCheck } from '../leak-check.ts'
import { startCluster, until } from './cluster.ts'
import { isAlive } from './process-tree.ts'

leakCheck()

test('a killed node with keepIdentity: its next start has the same address and peer id', async () => {
  await using cluster = await startCluster({ receiver: 'none' })
  const first = await cluster.node('a', { role: 'seed', keepIdentity: true })
  assert.deepEqual(first.addresses, [`${cluster.address('a')}/p2p/${first.peer}`])
  const listening = first.log.find(({ msg }) => msg === 'listening')
  assert.match(String(listening?.['trace_id']), /^[0-9a-f]{32}$/)
  await assert.rejects(cluster.node('a'), /is already running/)
  first.kill()
  assert.equal(await first.exited, null)
  const second = await cluster.node('a', { role: 'seed', keepIdentity: true })
  assert.deepEqual([second.peer, second.addresses], [first.peer, first.addresses])
  assert.deepEqual(await second.api('/readyz'), { ready: true, why: 'a seed waits for other nodes' })
  const { cpuMs, rssMb, pssMb } = await second.usage()
  assert.ok(cpuMs > 0 && rssMb > 30 && pssMb > 0 && pssMb <= rssMb, `${cpuMs} ms, ${rssMb} MiB, ${pssMb} MiB`)
  assert.equal(await second.stop(), 0)
})

test('a cluster with a paused node: close ends the node', async () => {
  const cluster = await startCluster({ receiver: 'none' })
  const node = await cluster.node('a', { role: 'seed' })
  node.pause()
  await cluster.close()
  assert.equal(isAlive(node.pid), false)
})

test('a node with an invalid setting: the error names the setting', async () => {
  await using cluster = await startCluster({ receiver: 'none', env: { MESH_SWEEP_MS: '0' } })
  await assert.rejects(cluster.node('a'), /a exited with 2: .*MESH_SWEEP_MS/)
})

test('SIGKILL to the process that started a cluster: the nodes end', async () => {
  // A killed process cannot remove its files.
  await using directory = await mkdtempDisposable(join(tmpdir(), 'tracemesh-'))
  const env = { ...process.env, TMPDIR: directory.path }
  const command = nodeCommand(fileURLToPath(new URL('./lone-cluster.ts', import.meta.url)))
  const started = Promise.withResolvers<unknown>()
  const parent = new Subprocess({ name: 'the parent', command, env, ipc: true, onMessage: started.resolve })
  const pid = Number(await parent.ready(started.promise, 60_000))
  assert.equal(isAlive(pid), true)
  parent.signal('SIGKILL')
  await until(() => !isAlive(pid), 30_000, 'the node ends')
})
