import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { until } from '../processes/waiting.ts'
import { type LabProcess, startLabProcess } from '../testing/cluster/command-process.ts'
import { childrenOf, commandOf, isAlive } from '../testing/cluster/process-tree.ts'
import { leakCheck } from '../testing/leak-check.ts'

leakCheck({ graceMs: 8_000 })

test('a killed lab beside another: no process stays, not even a paused one, and no file', async () => {
  const [one, other] = await Promise.all([startLab(), startLab()])
  try {
    assert.notEqual(one.url, other.url)
    const runs = async () =>
      (await one.view()).nodes.some(({ name, state }) => name === 'a-seed-1' && state === 'running')
    await until(runs, 30_000, 'a node runs')
    assert.equal((await one.view()).jaegerUrl, 'http://127.0.0.1:1/ui', 'the value of --jaeger-ui')
    const paused = await fetch(`${one.url}/api/lab/nodes/a-seed-1/pause`, { method: 'POST' })
    assert.equal(paused.status, 200, await paused.text())
    const children = childrenOf(one.pid)
    assert.ok(children.length >= 3, 'a store, a watchdog and a node at least')
    const directory = directoryOf(children)
    assert.ok(existsSync(directory))
    one.kill()
    await until(() => children.every((pid) => !isAlive(pid)), 30_000, 'all processes have exited')
    await until(() => !existsSync(directory), 30_000, 'and the directory')
    // A lab that ends before its nodes know each other has no verdict, and exits with 3.
    const knowing = async () => (await other.view()).boot.filter(({ what }) => what === 'all members').length
    await until(async () => (await knowing()) >= 2, 60_000, 'the nodes of the other lab know each other')
  } finally {
    one.kill()
    assert.equal(await other.stop(), 0, other.stderr())
  }
})

/** Both labs use the default port of the page: the second one finds it in use. */
function startLab(): Promise<LabProcess> {
  const size = ['--nodes', '3', '--meshes', '1', '--for', '2m']
  return startLabProcess(...size, '--page', '127.0.0.1:16680', '--jaeger-ui', 'http://127.0.0.1:1/ui/')
}

/** The directory of the lab, from the command line of its store. */
function directoryOf(pids: readonly number[]): string {
  for (const pid of pids) {
    const args = commandOf(pid)
    const file = args[args.indexOf('--file') + 1]
    if (args.includes('store') && file !== undefined) return join(dirname(file))
  }
  throw new Error('the lab has no store')
}
