import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ViewNode } from '../page/mesh-view.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { plain } from './lines.ts'
import type { LabSpan } from './node-log.ts'
import { keys, type ScreenInput, screen } from './screen.ts'

leakCheck()

test('a screen of any size: one line per row, none wider than the screen', () => {
  for (const [columns, rows] of [
    [200, 60],
    [80, 24],
    [40, 10],
    [10, 3],
    [1, 1],
  ] as const) {
    for (const help of [false, true]) {
      const lines = screen(input({ columns, rows, help }))
      assert.equal(lines.length, rows, `${columns} x ${rows}`)
      for (const line of lines) assert.ok(line.length <= columns, `${line.length} > ${columns}: ${line}`)
    }
  }
})

test('a large screen: all nodes and the last spans', () => {
  const lines = screen(input({ columns: 120, rows: 40 }))
  for (let index = 1; index <= 18; index++) assert.ok(lines.some((line) => line.includes(` node-${index} `)))
  assert.ok(lines.some((line) => line.includes('attempt=49')))
  assert.equal(lines.at(-1), keys)
})

test('a small screen: the selected node is marked and visible', () => {
  for (const selected of ['node-1', 'node-9', 'node-18']) {
    const lines = screen(input({ columns: 80, rows: 16, selected }))
    assert.deepEqual(
      lines.filter((line) => line.startsWith('>')).map((line) => line.split(' ')[1]),
      [selected],
    )
  }
})

test('80 columns: state, members and links are whole, and the rows are counted', () => {
  const names = Array.from({ length: 18 }, (_, index) => node(`a-compute-${index + 1}`))
  const { view } = input({})
  const lines = screen(input({ columns: 80, rows: 24, view: { ...view, nodes: names } }))
  const head = lines
    .find((line) => line.includes('node '))
    ?.trim()
    .split(/\s\s+/)
  assert.deepEqual(head?.slice(0, 1), ['node'])
  for (const column of ['state', 'members', 'links']) assert.ok(head?.includes(column), column)
  assert.ok(
    lines.every((line) => !line.includes('…') || line.includes('mesh.seed.retry') || line.includes('tracemesh')),
  )
  assert.ok(lines.some((line) => line.includes('nodes 1 to 14 of 18')))
})

test('80 and 120 columns: a span that is too long loses its detail, not the digits of its trace', () => {
  const detail = 'address=/ip4/127.0.0.1/udp/54403/quic-v1 attempt=1 delay_ms=704 and much more text than fits'
  const trace = '1a2b3c4d5e6f'.padEnd(32, '0')
  const span = {
    atMs: 0,
    node: 'a-compute-12',
    span: 'mesh.member.dial_failed',
    detail,
    trace,
    colour: 'yellow',
  } as const
  for (const columns of [80, 120]) {
    const lines = screen(input({ columns, spans: [span, span] }))
    const line = lines.find((one) => one.includes('dial_failed')) ?? ''
    assert.ok(line.length <= columns && line.endsWith(`… ${columns < 100 ? '' : 'trace '}1a2b3c4d`), line)
  }
})

test('more nodes and spans than rows: both are counted', () => {
  const lines = screen(input({ columns: 80, rows: 16 }))
  assert.ok(lines.some((line) => line.includes(' nodes 1 to 6 of 18 ') && line.includes(' last 5 of 50 kept spans ')))
})

test('a node without a process: no members and no links, not zero of them', () => {
  const { view } = input({})
  const dead: ViewNode = { ...node('dead'), state: 'killed', counts: { retries: 3 } }
  const lines = screen(input({ columns: 120, view: { ...view, nodes: [dead] } }))
  assert.match(lines.find((line) => line.includes('dead')) ?? '', /killed +- +- +3/)
})

test('a notice replaces the list of keys', () => {
  assert.equal(screen(input({ notice: 'killing node-1' })).at(-1), 'killing node-1')
})

function input(overrides: Partial<ScreenInput>): ScreenInput {
  const spans = Array.from({ length: 50 }, (_, index): LabSpan => {
    const detail = `attempt=${index}`
    return { atMs: 0, node: 'node-1', span: 'mesh.seed.retry', detail, trace: 'abc', colour: 'yellow' }
  })
  return {
    view: {
      atMs: 0,
      from: 'lab',
      title: 'lab of 18 nodes',
      nodes: Array.from({ length: 18 }, (_, index) => node(`node-${index + 1}`)),
      links: [],
      boot: [],
      spans: [],
      messages: [],
      traces: false,
    },
    spans,
    selected: 'node-1',
    columns: 80,
    rows: 24,
    seconds: 65,
    page: 'http://127.0.0.1:16680',
    notice: '',
    help: false,
    paint: plain,
    ...overrides,
  }
}

function node(name: string): ViewNode {
  return {
    id: name,
    name,
    role: 'compute',
    meshes: ['mesh-a'],
    state: 'running',
    addresses: [],
    topics: [],
    links: [],
    counts: { members: 9, links: 9 },
    controllable: true,
  }
}
