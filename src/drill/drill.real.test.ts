import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { nodeCommand } from '../processes/node-program.ts'
import { Subprocess } from '../processes/subprocess.ts'
import { until } from '../processes/waiting.ts'
import { childrenOf, commandOf, isAlive } from '../testing/cluster/process-tree.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { startReceiver } from '../testing/otlp/otlp-receiver.ts'
import { fakeStack } from '../testing/stack/fake-stack.ts'
import type { DrillResult } from './judge.ts'
import { runDrills } from './run.ts'

// The pool of `fetch` keeps a connection for some seconds after its last use.
leakCheck({ graceMs: 8_000 })

const bin = fileURLToPath(new URL('../bin.js', import.meta.url))

/** Processes of this parent that run a node. */
const nodesOf = (parent: number) => childrenOf(parent).filter((pid) => commandOf(pid).includes('drill-stall'))

test('a drill with real nodes: their spans make the alert fire and resolve, and both nodes stop in order', async () => {
  const receiver = await startReceiver()
  const named = (name: string) => receiver.spans.filter((span) => span.name === name)
  const labels = { alertname: 'MeshNodeStalled', mesh_id: 'drill-stall', mesh_node_name: 'drill-stall-2' }
  let firedAt = Number.NaN
  await using fake = await fakeStack({
    rules: { MeshNodeStalled: 0 },
    nodes: () => named('mesh.node.started').map(({ resource }) => String(resource['mesh.node.name'])),
    alerts: () => {
      if (named('mesh.node.stalled').length === 0) return []
      firedAt = Number.isNaN(firedAt) ? performance.now() : firedAt
      return performance.now() - firedAt > 3_000 ? [] : [{ labels, state: 'active' }]
    },
  })
  const log: string[] = []
  const { signal } = new AbortController()
  const [result] = await runDrills({
    alerts: ['MeshNodeStalled'],
    ...{ otlp: receiver.endpoint, prometheus: fake.url, alertmanager: fake.url },
    ...{ timeFactor: 1, atOnce: 1, signal, onResult: () => {} },
    log: (text) => log.push(text),
  })
  assert.equal(result?.verdict, 'ok', `${result?.why} ${log.join('; ')}`)
  const stopped = named('mesh.node.stopped').map(({ resource }) => resource['mesh.node.name'])
  assert.deepEqual(stopped.toSorted(), ['drill-stall-1', 'drill-stall-2'], 'both stopped in order')
  assert.deepEqual(nodesOf(process.pid), [])
  await receiver.close()
})

test('the drill of the doctor: the real command emits the finding that makes the alert fire', async (t) => {
  const receiver = await startReceiver()
  t.after(() => receiver.close())
  const named = (name: string) => receiver.spans.filter((span) => span.name === name)
  const labels = { alertname: 'MeshDoctorFinding', mesh_id: 'drill-doctor', mesh_node_name: 'drill-doctor-2' }
  let firedAt = Number.NaN
  await using fake = await fakeStack({
    rules: { MeshDoctorFinding: 0 },
    nodes: () => named('mesh.node.started').map(({ resource }) => String(resource['mesh.node.name'])),
    alerts: () => {
      if (named('mesh.doctor.finding').length === 0) return []
      firedAt = Number.isNaN(firedAt) ? performance.now() : firedAt
      return performance.now() - firedAt > 3_000 ? [] : [{ labels, state: 'active' }]
    },
  })
  const log: string[] = []
  const { signal } = new AbortController()
  const [result] = await runDrills({
    alerts: ['MeshDoctorFinding'],
    ...{ otlp: receiver.endpoint, prometheus: fake.url, alertmanager: fake.url },
    ...{ timeFactor: 1, atOnce: 1, signal, onResult: () => {} },
    log: (text) => log.push(text),
  })
  assert.equal(result?.verdict, 'ok', `${result?.why} ${log.join('; ')}`)
  const [finding] = named('mesh.doctor.finding')
  assert.deepEqual(
    ['mesh.node.name', 'mesh.doctor.disease'].map((key) => finding?.attributes[key]),
    ['drill-doctor-2', 'self-seed'],
  )
})

test('an interrupted drill: not shown, and no process stays', async () => {
  // The fake Prometheus never has the nodes, so the drill waits.
  await using fake = await fakeStack({ rules: { MeshNodeStalled: 0 } })
  const where = ['--otlp', 'http://127.0.0.1:1', '--prometheus', fake.url, '--alertmanager', fake.url]
  let out = ''
  const child = new Subprocess({
    name: 'the drill',
    command: nodeCommand(bin, ['drill', 'MeshNodeStalled', '--json', ...where]),
    onLine: (line) => {
      out += line
    },
  })
  const asking = () => fake.requests.some((path) => path.startsWith('/api/v1/query'))
  await until(asking, 60_000, 'the drill waiting for Prometheus')
  const nodes = nodesOf(child.pid)
  assert.equal(nodes.length, 2)
  assert.equal((await child.stop(60_000, 'SIGINT')).code, 3)
  const { verdict, why } = JSON.parse(out) as DrillResult
  assert.deepEqual([verdict, why], ['not shown', 'interrupted'])
  await until(() => nodes.every((pid) => !isAlive(pid)), 30_000, 'all nodes to exit')
})
