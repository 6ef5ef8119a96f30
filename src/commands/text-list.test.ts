import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { hang, textList } from './text-list.ts'

leakCheck()

const rows = [
  ['mesh.window', 'Root of the spans that a node emits within a minute; linked to the previous window.'],
  ['mesh.node.started', 'The node has started.'],
] as const

test('a terminal of any width: no line is wider, nothing is lost, and the rows are counted', () => {
  for (const columns of [200, 120, 80, 40, 30, 20]) {
    const lines = textList(rows, columns, 'spans').trimEnd().split('\n')
    for (const line of lines) assert.ok(line.length <= columns, `${line.length} > ${columns}: ${line}`)
    assert.equal(lines.at(-1), '2 spans')
    const words = rows.flat().join(' ').split(' ')
    assert.deepEqual(lines.slice(0, -1).join(' ').split(/ +/), words)
  }
})

test('80 columns: a text continues under its own begin', () => {
  const [first, second] = textList(rows, 80, 'spans').split('\n')
  assert.equal(first?.indexOf('Root'), 19)
  assert.match(second ?? '', /^ {19}\S/)
})

test('no terminal: a line per row, and no count', () => {
  assert.deepEqual(textList(rows, undefined, 'spans').split('\n').length, 3)
})

test('a word that is wider than the screen: broken, not lost', () => {
  assert.deepEqual(hang('a ', 'x'.repeat(40), 30), [`a ${'x'.repeat(28)}`, `  ${'x'.repeat(12)}`])
})
