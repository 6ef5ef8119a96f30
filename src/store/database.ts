import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { errorMessage, MeshError } from '../core/errors.ts'

/** Version of the tables below; other versions are refused. */
const version = 2
const pageBytes = 16_384
/** "tmsh"; other databases are refused. */
const applicationId = 0x74_6d_73_68

/**
 * `fresh`: exports as received, until there are enough to pack. `chunks`, `filters`, `bodies`: packed spans, one table
 * for what is read together. `traces`: the chunks of a trace, by the last 48 bits of its id.
 */
const schema = `
  CREATE TABLE fresh (id INTEGER PRIMARY KEY, atMs REAL NOT NULL, body BLOB NOT NULL);
  CREATE TABLE chunks (id INTEGER PRIMARY KEY, spans INTEGER NOT NULL, firstMs REAL NOT NULL, lastMs REAL NOT NULL,
    shortestMs REAL NOT NULL, longestMs REAL NOT NULL, atMs REAL NOT NULL);
  CREATE TABLE filters (chunk INTEGER PRIMARY KEY, filter BLOB NOT NULL);
  CREATE TABLE bodies (chunk INTEGER PRIMARY KEY, body BLOB NOT NULL);
  CREATE TABLE traces (trace INTEGER NOT NULL, chunk INTEGER NOT NULL, PRIMARY KEY (trace, chunk)) WITHOUT ROWID;
  CREATE TABLE names (service TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, spans INTEGER NOT NULL,
    PRIMARY KEY (service, name, kind)) WITHOUT ROWID;
  CREATE TABLE senders (service TEXT NOT NULL, node TEXT NOT NULL, instance TEXT NOT NULL, spans INTEGER NOT NULL,
    sequence TEXT NOT NULL, atMs REAL NOT NULL, PRIMARY KEY (service, node, instance)) WITHOUT ROWID;
  CREATE TABLE totals (what TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${version};
`

/** SQLite's result codes: https://sqlite.org/rescode.html. */
const codes = { busy: 5, readOnly: 8, ioError: 10, corrupt: 11, full: 13, cannotOpen: 14, notADatabase: 26 } as const

/**
 * Opens a store's file, or creates it. One process can open it, and locks it until it exits. Committed spans survive
 * `kill -9`; after a power failure the last seconds may be missing.
 *
 * @throws MESH_STORE_UNUSABLE for a file that is damaged, foreign, of another version, locked or not writable.
 */
export function openDatabase(file: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    if (file !== ':memory:') makeDirectory(dirname(file))
    database = new DatabaseSync(file)
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA busy_timeout = 1000')
    prepare(database, file)
    return database
  } catch (error) {
    database?.close()
    throw error instanceof MeshError ? error : explainError(file, error)
  }
}

/** Creates the last directory only: if more of the path is missing, it is probably mistyped. */
function makeDirectory(path: string): void {
  if (!existsSync(path)) mkdirSync(path)
}

function prepare(database: DatabaseSync, file: string): void {
  const fileVersion = readPragma(database, 'user_version')
  const tables = database.prepare('SELECT count(*) AS count FROM sqlite_schema').get() as { count: number }
  const isStore = readPragma(database, 'application_id') === applicationId
  if (tables.count > 0 && !isStore) throw unusable(file, 'it is the database of another program', 'choose another file')
  if (tables.count > 0 && fileVersion !== version)
    throw unusable(
      file,
      `it has version ${fileVersion}, and this tracemesh reads version ${version}`,
      'choose another file, or remove this one to create a new store',
    )
  // A filter or a body fits into one page: with four pages each, a search over a day took twice as long. The page size
  // applies to a new file only. The journal is written back at 4 MiB, SQLite's default.
  database.exec(`PRAGMA page_size = ${pageBytes}; PRAGMA wal_autocheckpoint = ${(4 * 1_024 * 1_024) / pageBytes}`)
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 8388608')
  database.exec('PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192')
  if (tables.count === 0) database.exec(`BEGIN; ${schema} COMMIT`)
  const { quick_check: check } = database.prepare('PRAGMA quick_check(1)').get() as { quick_check: string }
  if (check !== 'ok') throw unusable(file, `it is damaged: ${check}`, remedies.damaged)
}

export function readPragma(database: DatabaseSync, name: string): number {
  const row = database.prepare(`PRAGMA ${name}`).get() as Record<string, number> | undefined
  return Object.values(row ?? {})[0] ?? 0
}

/** The file may be the user's own, named by mistake. */
const remedies = { damaged: 'choose another file, or remove this one if it was a trace store' }

function unusable(file: string, cause: string, cure: string): MeshError {
  return new MeshError('MESH_STORE_UNUSABLE', { file, cause, cure })
}

function explainError(file: string, error: unknown): unknown {
  const message = errorMessage(error)
  const code = codeOf(error)
  if (code === codes.busy) return unusable(file, 'another process has locked it', 'stop it, or choose another file')
  if (code === codes.corrupt || code === codes.notADatabase)
    return unusable(file, `it is damaged: ${message}`, remedies.damaged)
  if (isDiskError(error)) return unusable(file, message, 'make room on its disk')
  const isFileError = error instanceof Error && 'code' in error && /^E[A-Z]+$/.test(String(error.code))
  if (code === undefined && !isFileError) return error
  return unusable(file, message, 'choose a file in a directory that this user may write to')
}

/** Whether the disk is full or fails: a later attempt may succeed. */
export function isDiskError(error: unknown): boolean {
  const code = codeOf(error)
  return code === codes.full || code === codes.ioError
}

/** SQLite's primary result code. */
function codeOf(error: unknown): number | undefined {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined
  return typeof code === 'number' ? code & 0xff : undefined
}
