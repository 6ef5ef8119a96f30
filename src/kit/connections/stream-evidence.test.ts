import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Stream } from '@libp2p/interface'
import { leakCheck } from '../../testing/leak-check.ts'
import { streamEvidence } from './stream-evidence.ts'

leakCheck()

const wall = Date.UTC(2030, 0, 1)

function stream(protocol: string, parts: Partial<Stream> & { readonly ageMs?: number } = {}): Stream {
  const { ageMs = 0, ...rest } = parts
  const open = { direction: 'inbound', status: 'open', writeStatus: 'writable', remoteWriteStatus: 'writable' }
  return { protocol, ...open, timeline: { open: wall - ageMs }, ...rest } as Stream
}

test('streams of several connections: counted by protocol, the largest first', () => {
  const outbound = { direction: 'outbound' } as const
  const streams = [
    [stream('/a', { ageMs: 5_400 }), stream('/a', outbound), stream('/a', { remoteWriteStatus: 'closed' })],
    [stream('/b', { ...outbound, writeStatus: 'closed', ageMs: 60_000 }), stream(''), stream('/a')],
  ]
  const { attributes } = streamEvidence(
    streams.map((some) => ({ streams: some })),
    wall,
  )
  assert.deepEqual(attributes, {
    'mesh.audit.streams': 6,
    'mesh.audit.streams_half_closed': 2,
    'mesh.audit.protocols': ['/a 3 1 1 5', '/b 0 1 1 60', '- 1 0 0 0'],
  })
})

test('a stream that both sides have closed, or that is aborted: not half closed', () => {
  const closed = stream('/a', { writeStatus: 'closed', remoteWriteStatus: 'closed' })
  const aborted = stream('/a', { status: 'aborted', writeStatus: 'closed' })
  assert.equal(streamEvidence([{ streams: [closed, aborted] }], wall).attributes?.['mesh.audit.streams_half_closed'], 0)
})

test('no connection: no protocol', () => {
  assert.deepEqual(streamEvidence([], wall).attributes?.['mesh.audit.protocols'], [])
})

test('more protocols than the census has lines: the largest ones', () => {
  const streams = Array.from({ length: 20 }, (_, index) => Array.from({ length: index + 1 }, () => stream(`/${index}`)))
  const lines = streamEvidence([{ streams: streams.flat() }], wall).attributes?.['mesh.audit.protocols'] ?? []
  assert.deepEqual([lines.length, lines[0], lines.at(-1)], [16, '/19 20 0 0 0', '/4 5 0 0 0'])
})
