import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isMeshError } from '../../core/errors.ts'
import { eventStep } from '../../soak/lives/crowd.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { churnDefaults, churnSeconds } from './churn.ts'
import { readChurnOptions } from './options.ts'

leakCheck()

const read = (...args: string[]) => readChurnOptions(args, { out: () => {}, err: () => {} })

test('options: defaults, and lives in whole processes', () => {
  assert.deepEqual(read(), { options: churnDefaults, json: false })
  assert.equal(churnDefaults.events % eventStep, 0)
  const { options, json } = read('--events', '100', '--rate', '5', '--no-stock', '--json')
  assert.deepEqual([options.events, options.rate, options.stock, json], [2 * eventStep, 5, false, true])
})

test('a default run: less than 40 minutes', () => {
  assert.ok(churnSeconds(churnDefaults) < 40 * 60, `${churnSeconds(churnDefaults)} s`)
})

test('an invalid value: the option and what it allows', () => {
  const isInvalid = (error: unknown) => isMeshError(error, 'MESH_CONFIG_INVALID')
  for (const args of [
    ['--events', '10'],
    ['--rate', '0'],
    ['--rest', '1.5'],
    ['--seed', 'Infinity'],
  ])
    assert.throws(() => read(...args), isInvalid, args.join(' '))
  assert.throws(() => read('--speed', '3'), { code: 'commander.unknownOption' })
})
