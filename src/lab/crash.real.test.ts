import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { MeshView } from '../page/mesh-view.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { until } from '../testing/until.ts'

leakCheck({ graceMs: 8_000 })

const program = fileURLToPath(new URL('../commands/main.ts', import.meta.url))

test('a lab that is killed leaves no process, not even a paused one, and no file; another runs beside it', async () => {
  const [one, other] = await Promise.all([startLab(), startLab()])
  try {
    assert.notEqual(one.page, other.page)
    const view = async () => (await (await fetch(`${one.page}/api/mesh`)).json()) as MeshView
    const runs = async () => (await view()).nodes.some(({ name, state }) => name === 'a-seed-1' && state === 'running')
    await until(runs, 30_000, 'a node runs')
    const paused = await fetch(`${one.page}/api/lab/nodes/a-seed-1/pause`, { method: 'POST' })
    assert.equal(paused.status, 200, await paused.text())
    const children = childrenOf(one.process.pid ?? 0)
    assert.ok(children.length >= 3, 'a store, a watchdog and a node at least')
    const directory = directoryOf(children)
    assert.ok(existsSync(directory))
    one.process.kill('SIGKILL')
    await until(() => children.every((pid) => !lives(pid)), 8_000, 'all processes are gone')
    await until(() => !existsSync(directory), 3_000, 'and the directory')
  } finally {
    one.process.kill('SIGKILL')
    const closed = once(other.process, 'close')
    other.process.kill('SIGTERM')
    const [code] = (await closed) as [number | null]
    assert.equal(code, 0, other.said())
  }
})

async function startLab(): Promise<{ process: ChildProcess; page: string; said: () => string }> {
  const flags = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=1']
  const args = ['lab', '--nodes', '3', '--meshes', '1', '--for', '2m', '--json']
  const child = spawn(process.execPath, [...flags, program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const page = Promise.withResolvers<string>()
  let said = ''
  createInterface({ input: child.stdout }).on('line', (line) => {
    said += `${line}\n`
  })
  createInterface({ input: child.stderr }).on('line', (line) => {
    said += `${line}\n`
    const url = /^Page: (http\S+)/.exec(line)?.[1]
    if (url !== undefined) page.resolve(url)
  })
  child.once('close', () => page.reject(new Error(`the lab ended before it had a page: ${said}`)))
  return { process: child, page: await page.promise, said: () => said }
}

/** Processes whose parent this is. Linux only, as the rest of what is asked here. */
function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && stat(pid)?.parent === parent)
}

function lives(pid: number): boolean {
  const state = stat(pid)?.state
  return state !== undefined && state !== 'Z'
}

function stat(pid: number): { state: string; parent: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [state = '', parent] = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state, parent: Number(parent) }
  } catch {
    return undefined
  }
}

/** Where the lab keeps its things, by the command line of its store. */
function directoryOf(pids: readonly number[]): string {
  for (const pid of pids) {
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    const file = args[args.indexOf('--file') + 1]
    if (args.includes('store') && file !== undefined) return join(dirname(file))
  }
  throw new Error('the lab has no store')
}
