import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { countHandles } from '../evidence/process-handles.ts'
import { leakCheck, leaksBetween } from './leak-check.ts'
import { temporaryDirectory } from './surroundings.ts'

leakCheck()

const directory = temporaryDirectory({ after })

/** Runs a test file of one passing test, with `body` in it, under the leak check; returns its exit code and output. */
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
  // With it the child would report to this test run.
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

test('a file that closes its server: passes', () => {
  const { status, output } = runFile(`
    const server = net.createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.close(resolve))`)
  assert.equal(status, 0, output)
})

test('a timer that ends within the grace period: no leak', () => {
  assert.equal(runFile('setTimeout(() => {}, 300)', '{ graceMs: 2_000 }').status, 0)
})

const leaks = {
  'a timer': ['setInterval(() => {}, 60_000)', '1 Timeout'],
  'a server': [`net.createServer().listen(0, '127.0.0.1')`, '1 TCPServerWrap'],
  'a datagram socket': [
    `const socket = dgram.createSocket('udp4'); await new Promise((up) => socket.bind(0, '127.0.0.1', up))`,
    '1 UDPWrap',
  ],
  'an unreferenced socket': [`net.createServer().listen(0, '127.0.0.1').unref()`, '1 fd socket'],
  'a process': [`spawn('sleep', ['2'])`, '1 ProcessWrap'],
  'an open file': ['globalThis.file = await open(import.meta.filename)', '1 fd '],
} as const

for (const [what, [body, label]] of Object.entries(leaks)) {
  test(`${what} that leaks: the file fails, names it, and exits`, () => {
    const { status, output } = runFile(body)
    assert.equal(status, 1)
    assert.match(output, /outlived its tests by 100 ms/)
    assert.ok(output.includes(label), output)
  })
}

test('an exception: allows its kind up to its number', () => {
  const earlier = new Map([['Timeout', 1]])
  const allow = [{ what: 'Timeout', upTo: 2, reason: 'a heartbeat that cannot be stopped' }]
  assert.deepEqual(leaksBetween(earlier, new Map([['Timeout', 3]]), allow), [])
  assert.deepEqual(leaksBetween(earlier, new Map([['Timeout', 4]]), allow), ['3 Timeout (2 allowed)'])
  assert.deepEqual(leaksBetween(earlier, new Map([['UDPWrap', 1]]), allow), ['1 UDPWrap'])
})

test('fewer resources than before: no leak', () => {
  assert.deepEqual(leaksBetween(new Map([['Timeout', 2]]), new Map()), [])
})

test('a server that opens and closes: counted by kind', async () => {
  const earlier = countHandles()
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  assert.deepEqual(leaksBetween(earlier, countHandles()).sort(), ['1 TCPServerWrap', '1 fd socket'])
  await new Promise((resolve) => server.close(resolve))
  // The server handle stays for some turns of the event loop: hence the grace period.
  assert.ok(!leaksBetween(earlier, countHandles()).includes('1 fd socket'))
})
