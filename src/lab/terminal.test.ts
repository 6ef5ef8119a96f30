import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { leakCheck } from '../testing/leak-check.ts'
import type { Lab } from './lab.ts'
import { LiveTerminal } from './terminal.ts'

leakCheck()

test('keys act on the selected node, and close restores the terminal', async () => {
  const { terminal, type, calls, quits, shown, raw } = openTerminal()
  await type('x')
  await type('j')
  await type('s')
  await type('\x1b[A')
  await type('p')
  await type('r')
  await type('f')
  await type('n')
  assert.deepEqual(calls, [
    'killNode a-1',
    'stopNode a-2',
    'pauseNode a-1',
    'startNode a-1 same',
    'startNode a-1 fresh',
    'spawn compute mesh-a',
  ])
  await type('o')
  assert.match(shown(), /page: http:\/\/127\.0\.0\.1:1/)
  await type('?')
  assert.match(shown(), /select a node/)
  assert.deepEqual(quits, [])
  await type('\x03')
  await type('q')
  assert.deepEqual(quits, ['Ctrl-C', 'q'])
  assert.equal(raw.at(-1), true)
  terminal.close()
  terminal.close()
  assert.equal(raw.at(-1), false)
  assert.ok(shown().endsWith('\x1b[?1049l\x1b[?25h'), 'cursor and screen are restored')
  assert.equal(process.listenerCount('uncaughtExceptionMonitor'), 0)
})

test('Home, End and the page keys: they move the selection by as many nodes as there are', async () => {
  const { terminal, type, calls } = openTerminal()
  for (const key of ['\x1b[6~', '\x1b[F', '\x1b[5~', '\x1b[H']) {
    await type(key)
    await type('x')
  }
  assert.deepEqual(calls, ['killNode a-2', 'killNode a-2', 'killNode a-1', 'killNode a-1'])
  terminal.close()
})

test('a refused action: its reason is on the screen', async () => {
  const { terminal, type, shown } = openTerminal('a-1 cannot be killed: it is stopped')
  await type('x')
  assert.match(shown(), /a-1 cannot be killed: it is stopped/)
  terminal.close()
})

function openTerminal(refusal?: string) {
  const calls: string[] = []
  const quits: string[] = []
  const raw: boolean[] = []
  const call =
    (what: string) =>
    async (...args: string[]) => {
      calls.push([what, ...args].join(' '))
      if (refusal !== undefined) throw new Error(refusal)
    }
  const node = (name: string) => ({ name, state: 'running', meshes: ['mesh-a'], counts: {}, controllable: true })
  const nodes = [node('a-1'), node('a-2')]
  const lab = {
    view: () => ({ title: 'lab', nodes, boot: [] }),
    nodes: () => nodes,
    spans: [],
    ...Object.fromEntries(
      ['killNode', 'stopNode', 'pauseNode', 'resumeNode', 'startNode', 'spawn'].map((what) => [what, call(what)]),
    ),
  } as unknown as Lab
  const setRawMode = (on: boolean) => raw.push(on)
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode }) as unknown as NodeJS.ReadStream
  const output = Object.assign(new PassThrough(), { columns: 80, rows: 24 }) as unknown as NodeJS.WriteStream
  let text = ''
  output.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  const page = 'http://127.0.0.1:1'
  const quit = (cause: string) => void quits.push(cause)
  const terminal = new LiveTerminal({ lab, page, startedAt: performance.now(), quit, input, output })
  const type = async (keys: string) => {
    ;(input as unknown as PassThrough).write(keys)
    // The action that a key starts ends within this turn of the event loop, and so does its reply on the screen.
    await nextTurn()
  }
  return { terminal, type, calls, quits, raw, shown: () => text }
}
