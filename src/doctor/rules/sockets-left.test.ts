import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, growing, processWith } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { socketsLeft } from './sockets-left.ts'

leakCheck()

test('sockets that nobody closes: their kind is named', () => {
  const story = processWith((s) => ({ 'mesh.audit.sockets_udp': 3 + growing(30)(s) }))
  assert.deepEqual(
    socketsLeft.find(evidenceOf([story])).map(({ owner }) => owner.part),
    ['udp sockets'],
  )
})

test('one socket for each connection that came, and no collection frees it: found after collections', () => {
  const story = processWith((s) => ({
    'mesh.audit.sockets_udp': 3 + Math.round(s / 4),
    'mesh.audit.opened_total': Math.round(s / 4),
  }))
  assert.equal(socketsLeft.find(evidenceOf([story])).length, 1)
})

test('sockets of closed connections before the first collection: nothing', () => {
  const story = processWith((s) => ({
    'mesh.audit.sockets_udp': 3 + Math.round(s / 4),
    'mesh.audit.opened_total': Math.round(s / 4),
    'mesh.memory.major_gcs_total': 1,
  }))
  assert.deepEqual(socketsLeft.find(evidenceOf([story])), [])
})

test('sockets of TCP connections that come: nothing', () => {
  const story = processWith((s) => ({ 'mesh.audit.connections': s, 'mesh.audit.sockets_tcp': 2 + s }))
  assert.deepEqual(socketsLeft.find(evidenceOf([story])), [])
})
