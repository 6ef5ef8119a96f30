import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { held, leakCheck, leaksBetween } from './leak-check.ts'

leakCheck()

const directory = mkdtempSync(join(tmpdir(), 'leak-check-'))
after(() => rmSync(directory, { recursive: true }))

/** Runs a test file of one passing test, with `body` in it, under the leak check; returns what a runner would see. */
function runFile(body: string, options = '{ graceMs: 100 }'): { status: number | null; output: string } {
  const file = join(directory, 'sample.test.mjs')
  const here = JSON.stringify(import.meta.resolve('./leak-check.ts'))
  writeFileSync(
    file,
    `import net from 'node:net'
     import dgram from 'node:dgram'
     import { open } from 'node:fs/promises'
     import { spawn } from 'node:child_process'
     import { test } from 'node:test'
     import { leakCheck } from ${here}
     leakCheck(${options})
     test('passes', async () => { ${body} })`,
  )
  // Without it the child would take itself for a part of this run and report to it.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 10_000,
    killSignal: 'SIGKILL',
  })
  return { status, output: stdout + stderr }
}

test('a file that leaves nothing behind passes', () => {
  const { status, output } = runFile(`
    const server = net.createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.close(resolve))`)
  assert.equal(status, 0, output)
})

test('what ends within the grace is no leak', () => {
  assert.equal(runFile('setTimeout(() => {}, 300)', '{ graceMs: 2_000 }').status, 0)
})

const leaks = {
  'a timer': ['setInterval(() => {}, 60_000)', '1 Timeout'],
  'a server': [`net.createServer().listen(0, '127.0.0.1')`, '1 TCPServerWrap'],
  'a datagram socket': [
    `const socket = dgram.createSocket('udp4'); await new Promise((up) => socket.bind(0, '127.0.0.1', up))`,
    '1 UDPWrap',
  ],
  'a socket that keeps nothing alive': [`net.createServer().listen(0, '127.0.0.1').unref()`, '1 fd socket'],
  'a process': [`spawn('sleep', ['2'])`, '1 ProcessWrap'],
  'an open file': ['globalThis.kept = await open(import.meta.filename)', '1 fd '],
} as const

for (const [what, [body, named]] of Object.entries(leaks)) {
  test(`${what} left behind fails the file, is named, and holds nothing up`, () => {
    const { status, output } = runFile(body)
    assert.equal(status, 1)
    assert.match(output, /outlived its tests by 100 ms/)
    assert.ok(output.includes(named), output)
  })
}

test('an exception excuses its kind, up to its number', () => {
  const earlier = new Map([['Timeout', 1]])
  const allow = [{ what: 'Timeout', upTo: 2, reason: 'a heartbeat that cannot be stopped' }]
  assert.deepEqual(leaksBetween(earlier, new Map([['Timeout', 3]]), allow), [])
  assert.deepEqual(leaksBetween(earlier, new Map([['Timeout', 4]]), allow), ['3 Timeout (2 allowed)'])
  assert.deepEqual(leaksBetween(earlier, new Map([['UDPWrap', 1]]), allow), ['1 UDPWrap'])
})

test('fewer than before is no leak', () => {
  assert.deepEqual(leaksBetween(new Map([['Timeout', 2]]), new Map()), [])
})

test('what is held is counted by kind', async () => {
  const earlier = held()
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  assert.deepEqual(leaksBetween(earlier, held()).sort(), ['1 TCPServerWrap', '1 fd socket'])
  await new Promise((resolve) => server.close(resolve))
  // The server itself lingers for some turns of the event loop: hence the grace.
  assert.ok(!leaksBetween(earlier, held()).includes('1 fd socket'))
})
