import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ComponentLogger, Logger } from '@libp2p/interface'
import { leakCheck } from '../testing/leak-check.ts'
import { startApp } from '../testing/suite/mesh-app.ts'
import type { InternalInit } from './init.ts'
import { libp2pLogger, silentLibp2p } from './libp2p-logger.ts'

leakCheck()

interface LoggedLine {
  readonly scope: string
  readonly args: readonly unknown[]
}

/** A logger as those of libp2p are, which records its lines. */
function recordingLogger({ enabled = true } = {}) {
  const lines: LoggedLine[] = []
  const write = (scope: string) => {
    const part = (...args: unknown[]) => void lines.push({ scope, args })
    return Object.assign(part, { enabled })
  }
  const forComponent = (name: string): Logger => {
    const parts = { error: write(`${name}:error`), trace: write(`${name}:trace`) }
    return Object.assign(write(name), { ...parts, newScope: (scope: string) => forComponent(`${name}:${scope}`) })
  }
  const logger: ComponentLogger = { forComponent }
  return { logger, lines, of: (scope: string) => lines.filter((line) => line.scope === scope) }
}

async function startAndStop(logger: ComponentLogger, init?: InternalInit): Promise<void> {
  const { libp2p } = await startApp(init, { logger, gossip: false })
  await libp2p.stop()
}

describe('without the option `logger` the mesh uses the log of libp2p', () => {
  test('spans of level info: lines of the scope tracemesh, with their attributes', async () => {
    const { logger, of } = recordingLogger()
    await startAndStop(logger)
    const started = of('tracemesh').find(({ args }) => args[1] === 'mesh.node.started')
    assert.equal(started?.args[0], '%s %o')
    assert.match(JSON.stringify(started?.args[2]), /"trace_id":"[0-9a-f]{32}".*"mesh.node.incarnation":/)
  })

  test('a warning: a line of the scope tracemesh:error', async () => {
    const { logger, of } = recordingLogger()
    await startAndStop(logger, { faults: ['hold-sweep'] })
    assert.match(JSON.stringify(of('tracemesh:error')), /injected faults are active/)
  })

  test('with the option `logger`: libp2p gets no line of the mesh', async () => {
    const { logger, of } = recordingLogger()
    const own = recordingLogger()
    await startAndStop(logger, { logger: libp2pLogger(own.logger) })
    assert.ok(own.of('tracemesh').length > 0)
    assert.deepEqual([of('tracemesh'), of('tracemesh:error')], [[], []])
  })

  test('while DEBUG selects nothing: no span becomes a line', async () => {
    const { logger, of } = recordingLogger({ enabled: false })
    await startAndStop(logger)
    assert.deepEqual(of('tracemesh'), [])
  })
})

test('levels: warn, error and fatal are errors, debug and info lines, trace is trace', () => {
  const { logger, lines } = recordingLogger()
  const log = libp2pLogger(logger)
  const error = new Error('broken')
  for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const) {
    assert.ok(log.isLevelEnabled(level))
    log[level]({ err: error, peer: 'p' }, level)
  }
  log.info('text alone with %s')
  const scopes = lines.map(({ scope }) => scope)
  const [trace, line, failure] = ['tracemesh:trace', 'tracemesh', 'tracemesh:error']
  assert.deepEqual(scopes, [trace, line, line, failure, failure, failure, line])
  assert.deepEqual(lines[3]?.args, ['%s %o - %e', 'warn', { peer: 'p' }, error])
  assert.deepEqual(lines[6]?.args, ['%s', 'text alone with %s'])
})

test('a logger whose error part has no switch of its own: the switch of the logger decides', () => {
  const log = libp2pLogger(silentLibp2p)
  const enabled = ['trace', 'info', 'error'].map((level) => log.isLevelEnabled(level))
  assert.deepEqual(enabled, [false, false, false])
})
