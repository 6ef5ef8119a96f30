import assert from 'node:assert/strict'
import { appendFile, mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import type { Scene } from '../scene.ts'
import { scenesNamed } from '../scenes.ts'
import { type RealResult, resultOf } from './result.ts'
import { ResultsFile } from './results-file.ts'
import { type RealOptions, runReal } from './run-real.ts'

leakCheck()

const wanted = scenesNamed(['streams', 'topics', 'clean-quiet'])

function resultNamed({ name, truth }: Scene, more: Partial<RealResult> = {}): RealResult {
  const disease = truth?.disease ?? null
  return { name, disease, outcome: 'right', answer: '', tookMs: 170_000, at: '', seconds: 60, events: 20, ...more }
}

/** Runs the scenes without processes, into the file of a directory. */
async function runIn(directory: string, options: Partial<RealOptions> = {}) {
  const [ran, out, err]: [string[], string[], string[]] = [[], [], []]
  const code = await runReal(wanted, {
    atOnce: 1,
    again: false,
    signal: new AbortController().signal,
    file: new ResultsFile(directory, 'abc'),
    io: { out: (text) => void out.push(text), err: (text) => void err.push(text) },
    ...options,
    run: async (scene, signal) => {
      ran.push(scene.name)
      return options.run?.(scene, signal) ?? resultNamed(scene)
    },
  })
  return { code, ran, out: out.join(''), err: err.join('') }
}

const directory = () => mkdtempDisposable(join(tmpdir(), 'tracemesh-zoo-'))

test('a series of runs that is interrupted: the next call runs the rest, and the table has all', async () => {
  await using temporary = await directory()
  const aborting = new AbortController()
  const first = await runIn(temporary.path, {
    signal: aborting.signal,
    run: async (scene) => {
      if (scene.name === 'topics') aborting.abort()
      return resultNamed(scene)
    },
  })
  assert.deepEqual([first.code, first.ran], [3, ['streams', 'topics']])
  assert.match(first.out, /right: 1 of 1; not run yet: 2/)
  assert.match(first.err, /interrupted: the same command goes on/)
  const second = await runIn(temporary.path)
  assert.deepEqual([second.code, second.ran], [0, ['topics', 'clean-quiet']])
  assert.match(second.out, /right: 3 of 3\n/)
  const third = await runIn(temporary.path, { again: true })
  assert.deepEqual(third.ran, ['streams', 'topics', 'clean-quiet'])
})

test('a wrong or a late answer: exit code 1, and the table shows it', async () => {
  await using temporary = await directory()
  const wrong = await runIn(temporary.path, {
    run: async (scene) =>
      resultNamed(scene, scene.name === 'topics' ? { outcome: 'wrong name', answer: 'likely heap-growth' } : {}),
  })
  assert.equal(wrong.code, 1)
  assert.match(wrong.out, /^topics +topics-left +wrong name +60 +20 +170 s +likely heap-growth$/m)
  const late = await runIn(temporary.path, { again: true, run: async (scene) => resultNamed(scene, { events: 301 }) })
  assert.deepEqual([late.code, /right: 0 of 3/.test(late.out)], [1, true])
})

test('a line of the results that an interrupt cut off: no result', async () => {
  await using temporary = await directory()
  const file = new ResultsFile(temporary.path, 'abc')
  await file.add(resultNamed(wanted[0] as Scene))
  await appendFile(file.path, '{"name":"topics","outc')
  assert.deepEqual(
    (await file.read()).map(({ name }) => name),
    ['streams'],
  )
})

test('a leak from outside the kit: nothing found is right, and so is a rule that knows no name for it', () => {
  const times = { startedAtMs: 0, plantedAtMs: 1_000, endedAtMs: 2_000 }
  const outcomeOf = (name: string) => {
    const [scene] = scenesNamed([name])
    const { disease = null, nodes = [], part = '' } = scene?.truth ?? {}
    const truth = { disease, nodes, part, also: [], ...times, commit: '' }
    return resultOf(scene as Scene, { spans: [], truth }, []).outcome
  }
  assert.deepEqual([outcomeOf('outside-orders'), outcomeOf('endless-operation')], ['right', 'missed'])
})
