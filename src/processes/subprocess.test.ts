import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { raceAbort } from '../kit/clock.ts'
import { isAlive } from '../testing/cluster/process-tree.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { dieWithParent, nodeCommand, parseLogLine } from './node-program.ts'
import { describeExit, Subprocess, type SubprocessOptions } from './subprocess.ts'
import { until } from './waiting.ts'

leakCheck()

/** A process that runs a script of Node.js, and the lines it has printed. */
function start(script: string, options: Partial<SubprocessOptions> = {}) {
  const lines: string[] = []
  const printed = Promise.withResolvers<string>()
  const onLine = (line: string) => {
    lines.push(line)
    printed.resolve(line)
  }
  const command = [process.execPath, '--input-type=module', '--eval', script]
  return { child: new Subprocess({ name: 'the node', command, onLine, ...options }), lines, first: printed.promise }
}

const forever = 'setInterval(() => {}, 1_000)'
const deafTo = (signal: string) => `process.on('${signal}', () => {}); console.log('up'); ${forever}`

test('a process that prints its line: ready with it; stop ends it in order', async () => {
  const { child, first } = start(`process.on('SIGTERM', () => process.exit(3)); console.log('up'); ${forever}`)
  assert.equal(await child.ready(first, 20_000), 'up')
  assert.deepEqual([child.isRunning, child.isClosed, isAlive(child.pid)], [true, false, true])
  assert.deepEqual(await child.stop(10_000), { code: 3, signal: null, output: '' })
  assert.deepEqual([child.isRunning, child.isClosed, child.ended.aborted], [false, true, true])
  assert.equal((await child.stop(0)).code, 3, 'a second stop: the same exit')
  child.signal('SIGKILL')
  child.send({})
  child.write('x')
})

test('a process that ends before it is ready: the error has its exit code and its output', async () => {
  const { child, first } = start(`console.error('Error: no port'); process.exit(2)`)
  await assert.rejects(child.ready(first, 20_000), /^Error: the node exited with 2: Error: no port\n$/)
})

test('a process that is not ready in time: it is killed, and the error has its output', async () => {
  const { child } = start(`console.error('still loading'); ${forever}`)
  await until(() => child.output !== '', 20_000, 'its output')
  const never = new Promise<void>(() => {})
  await assert.rejects(child.ready(never, 1), /^Error: the node was not ready within 1 ms: still loading\n$/)
  assert.equal((await child.exited).signal, 'SIGKILL')
})

test('a program that does not exist: an exit with neither code nor signal, and the reason', async () => {
  const exits: unknown[] = []
  const child = new Subprocess({ name: 'it', command: ['/no/such/program'], onExit: (exit) => exits.push(exit) })
  const exit = await child.exited
  assert.deepEqual([exit.code, exit.signal, child.pid, child.isRunning], [null, null, 0, false])
  assert.match(exit.output, /ENOENT/)
  assert.deepEqual(exits, [exit], 'onExit is called once')
  await assert.rejects(child.ready(new Promise(() => {}), 20_000), /^Error: it failed to start: .*ENOENT/)
})

test('stop of a process that ignores SIGTERM: SIGKILL after the limit', async () => {
  const { child, first } = start(deafTo('SIGTERM'))
  await child.ready(first, 20_000)
  assert.equal((await child.stop(50)).signal, 'SIGKILL')
})

test('stop of a paused process: resumed, so that it ends in order', async () => {
  const { child, first } = start(`process.on('SIGINT', () => process.exit(4)); console.log('up'); ${forever}`)
  await child.ready(first, 20_000)
  child.signal('SIGSTOP')
  assert.equal((await child.stop(10_000, 'SIGINT')).code, 4)
})

test('a process group of its own: a signal reaches the processes that it started, too', async () => {
  const script = `import { spawn } from 'node:child_process'
    const { pid } = spawn('sleep', ['60'], { stdio: 'inherit' })
    console.log(pid); ${forever}`
  const { child, first } = start(script, { ownGroup: true })
  const pid = Number(await child.ready(first, 20_000))
  await child.stop(10_000)
  await until(() => !isAlive(pid), 10_000, 'the process that it started exits')
})

test('its output: the end of standard error, and of standard output only when nobody reads that', async () => {
  const script = `console.error('a wrong turn'); console.log('{"msg":"up"}')`
  const { child, lines } = start(script, { outputChars: 5 })
  assert.deepEqual([(await child.exited).output, lines.map(parseLogLine)], ['turn\n', [{ msg: 'up' }]])
  const command = [process.execPath, '--eval', script]
  assert.match((await new Subprocess({ name: 'it', command }).exited).output, /"msg":"up"/)
})

test('standard input: it reads what is written, and ends with it', async () => {
  const { child, lines } = start('process.stdin.pipe(process.stdout)', { input: true })
  child.write('one\ntwo\n')
  assert.equal((await child.endInput(10_000)).code, 0)
  assert.deepEqual(lines, ['one', 'two'])
})

test('messages: both ways over the channel', async () => {
  const answer = Promise.withResolvers<unknown>()
  const script = `process.on('message', (n) => { process.send(n); process.disconnect() })`
  const { child } = start(script, { ipc: true, onMessage: answer.resolve })
  child.send({ n: 1 })
  assert.deepEqual(await raceAbort(child.ended, answer.promise), { n: 1 })
  await child.exited
})

test('SIGKILL to the parent: a process with dieWithParent ends', async () => {
  const modules = ['subprocess.ts', 'node-program.ts'].map((name) => new URL(name, import.meta.url).href)
  const script = `const { Subprocess } = await import('${modules[0]}'); const { dieWithParent } = await import('${modules[1]}')
    const command = [process.execPath, dieWithParent, '--eval', 'console.log(1); setInterval(() => {}, 1)']
    const { pid } = new Subprocess({ name: 'it', command, ipc: true, onLine: () => console.log(pid) })`
  const { child, first } = start(script)
  const pid = Number(await child.ready(first, 20_000))
  assert.equal(isAlive(pid), true)
  await child.stop(0, 'SIGKILL')
  await until(() => !isAlive(pid), 10_000, 'its child exits')
})

test('nodeCommand: this Node.js with the settings of the launcher, flags before the module', () => {
  const [program, ...rest] = nodeCommand('/a.ts', ['b'], [dieWithParent])
  assert.equal(program, process.execPath)
  assert.deepEqual(rest.slice(-3), [dieWithParent, '/a.ts', 'b'])
  assert.ok(rest.includes('--max-semi-space-size=1'))
  assert.ok(dieWithParent.endsWith(fileURLToPath(new URL('die-with-parent.js', import.meta.url))))
})

test('describeExit: the first line of a stack trace, else the last line, else that there was none', () => {
  const exit = { code: null, signal: 'SIGKILL', output: '' } as const
  assert.equal(describeExit(exit), 'with SIGKILL: no output on stderr')
  const failed = { code: 1, signal: null, output: 'at work\nMESH_PORT_TAKEN: in use\n    at x\n' }
  assert.equal(describeExit(failed), 'with 1: MESH_PORT_TAKEN: in use')
  assert.equal(describeExit({ ...failed, output: 'one\ntwo\n\n' }), 'with 1: two')
})

test('until: the time it took; a poll that throws counts as false; a described error after the limit', async () => {
  let polls = 0
  const third = () => {
    polls++
    if (polls < 2) throw new Error('refused')
    return polls === 3
  }
  assert.ok((await until(third, 10_000, 'the third poll')) >= 0)
  const never = until(() => Promise.reject(new Error('refused')), 0, 'an answer')
  await assert.rejects(never, (error: Error) => {
    assert.equal((error.cause as Error).message, 'refused')
    return error.message === 'an answer: not within 0 ms'
  })
  const gone = AbortSignal.abort(new Error('it has exited'))
  await assert.rejects(
    until(() => false, 10_000, 'an answer', gone),
    /^Error: it has exited$/,
  )
})
