import { EventEmitter } from 'node:events'
import { DatabaseSync } from 'node:sqlite'
import { makeGarbage } from '../garbage.ts'
import { type Plant, retain } from '../plant.ts'

const externalBytes = 512 * 1024
const nativeBytes = 512 * 1024
const slowBytes = 52
const perJoin = 24

/** A tracer that pins finished spans, an endless span whose children stay, and buffers and native memory of add-ons. */
export const memoryPlants = {
  /** Buffers that nothing owns. */
  external: { tick: () => retain(Buffer.alloc(externalBytes, 1)) },
  /** Memory that only native code knows: rows of a database in memory. */
  native: {
    begin: () => void database(),
    tick: () => void database().prepare('INSERT INTO rows VALUES (zeroblob(?))').run(nativeBytes),
  },
  /** The same, as slow as a megabyte in 20,000 connections: below what spans can resolve. */
  'native-slow': {
    begin: () => void database(),
    join: () => void database().prepare('INSERT INTO rows VALUES (zeroblob(?))').run(slowBytes),
  },
  /** Children of an operation that never ends. */
  'endless-operation': {
    tick: (_, count) => {
      makeGarbage()
      retain(recordChild(count))
    },
  },
  /** Finished operations that a context of a timer chain still reaches, some per peer. */
  'pinned-operations': {
    tick: collectOften,
    join: (_, peer) => {
      for (let i = 0; i < perJoin; i++) retain(finishOperation(peer, i))
    },
  },
  /** Events on an operation that never ends. */
  'endless-events': {
    tick: (_, count) => {
      makeGarbage()
      events.push(...recordEvents(count))
    },
  },
  /** Samples of the table of processes, each kept. */
  'process-samples': {
    tick: () => {
      makeGarbage()
      retain(sampleProcesses())
    },
  },
  /** Closed sockets that a listener on "drain" still reaches. */
  'closed-sockets': {
    tick: collectOften,
    join: (_, peer) => {
      for (let i = 0; i < perJoin; i++) retain(new EventEmitter().once('drain', describeClosed(peer)))
    },
  },
} as const satisfies Readonly<Record<string, Plant>>

const events: object[] = []

/** The collections show the leak; only a peer that joins adds to it. */
function collectOften(): false {
  makeGarbage()
  return false
}

let opened: DatabaseSync | undefined

function database(): DatabaseSync {
  if (opened === undefined) {
    opened = new DatabaseSync(':memory:')
    opened.exec('CREATE TABLE rows (bytes BLOB)')
  }
  return opened
}

function recordChild(count: number): object {
  return Array.from({ length: 1_000 }, (_, part) => ({ part, name: `child ${count} ${part}`, attributes: { count } }))
}

function finishOperation(peer: string, index: number): object {
  return Array.from({ length: 500 }, (_, part) => ({ part, name: `operation ${index} of ${peer} ${part}` }))
}

function recordEvents(count: number): object[] {
  return Array.from({ length: 1_000 }, (_, part) => ({ at: performance.now(), name: `event ${count} ${part}` }))
}

function sampleProcesses(): object {
  return Array.from({ length: 1_600 }, (_, pid) => ({ pid, at: performance.now(), command: `process ${pid}` }))
}

function describeClosed(peer: string): () => void {
  const buffered = Array.from({ length: 2_400 }, (_, index) => ({ peer, index }))
  return () => void buffered.length
}
