import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startCluster, until } from './cluster.ts'
import { leakCheck } from './leak-check.ts'

leakCheck()

/** One that is dead but that nobody has asked about yet is a zombie. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

test('a node comes back at its address under its name, with its identity where it is kept', async () => {
  await using cluster = await startCluster({ receiver: 'none' })
  const first = await cluster.node('a', { role: 'seed', keepIdentity: true })
  assert.deepEqual(first.addresses, [`${cluster.address('a')}/p2p/${first.peer}`])
  const listening = first.log.find(({ msg }) => msg === 'listening')
  assert.match(String(listening?.['trace_id']), /^[0-9a-f]{32}$/)
  await assert.rejects(cluster.node('a'), /runs already/)
  first.kill()
  assert.equal(await first.exited, null)
  const second = await cluster.node('a', { role: 'seed', keepIdentity: true })
  assert.deepEqual([second.peer, second.addresses], [first.peer, first.addresses])
  assert.deepEqual(await second.api('/readyz'), { ready: true, why: 'a seed waits for others' })
  const { cpuMs, rssMb, pssMb } = await second.usage()
  assert.ok(cpuMs > 0 && rssMb > 30 && pssMb > 0 && pssMb <= rssMb, `${cpuMs} ms, ${rssMb} MiB, ${pssMb} MiB`)
  assert.equal(await second.stop(), 0)
})

test('closing a cluster ends what is frozen, too', async () => {
  const cluster = await startCluster({ receiver: 'none' })
  const node = await cluster.node('a', { role: 'seed' })
  node.pause()
  await cluster.close()
  assert.equal(isAlive(node.pid), false)
})

test('a node that cannot start says why', async () => {
  await using cluster = await startCluster({ receiver: 'none', env: { MESH_SWEEP_MS: '0' } })
  await assert.rejects(cluster.node('a'), /ended with 2 .*MESH_SWEEP_MS/)
})

test('the processes of a cluster end with whoever started them, however that ends', async () => {
  // What is killed cannot remove what it has made.
  await using directory = await mkdtempDisposable(join(tmpdir(), 'tracemesh-'))
  const env = { ...process.env, TMPDIR: directory.path }
  const child = fork(fileURLToPath(new URL('./lone-cluster.ts', import.meta.url)), { stdio: 'ignore', env })
  const [pid] = (await once(child, 'message')) as [number]
  assert.equal(isAlive(pid), true)
  child.kill('SIGKILL')
  await until(() => !isAlive(pid), 5_000, 'the node gone')
})
