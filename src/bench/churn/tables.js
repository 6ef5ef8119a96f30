import { Session } from 'node:inspector/promises'

// What a libp2p node holds, read from inside its process. Plain JavaScript, as the programs that load it: both sides of
// the bench count with the same code.

/**
 * @typedef {object} Table
 * @property {string} name Where it is, or what it holds if nothing that we know leads to it.
 * @property {number} size Entries; of a map of tables those of all of them.
 * @property {number} departed Keys that are the id of a peer without a connection.
 */

/** Keys under which objects lead to the rest of the node, or to much that is no table. */
const skipped = ['components', 'log', 'logger', 'metrics', 'events', 'libp2p', 'privateKey', 'opts', 'init']
const maxDepth = 6
/** Entries of a map or an array whose values the walk follows: all that a node holds at rest. */
const maxValues = 20_000

/**
 * The maps, sets and arrays below these objects, by their path: `gossipsub.mesh[]` are the entries of all values of
 * `gossipsub.mesh`.
 *
 * @param {Readonly<Record<string, unknown>>} roots
 * @param {(key: unknown) => boolean} isDeparted
 * @returns {Map<string, Table & { readonly objects: Set<object> }>}
 */
export function namedTables(roots, isDeparted) {
  const tables = new Map()
  const visited = new Set()
  /**
   * @param {string} name
   * @param {unknown} value
   * @param {number} depth
   */
  const visit = (name, value, depth) => {
    if (typeof value !== 'object' || value === null || depth > maxDepth || isOpaque(value) || visited.has(value)) return
    visited.add(value)
    if (value instanceof Map || value instanceof Set || Array.isArray(value)) {
      count(name, value)
      const values = [...value.values()].slice(0, maxValues)
      for (const one of values) visit(`${name}[]`, one, depth + 1)
      return
    }
    for (const [key, one] of Object.entries(value)) {
      if (!skipped.includes(key)) visit(`${name}.${key}`, one, depth + 1)
    }
  }
  /**
   * @param {string} name
   * @param {Map<unknown, unknown> | Set<unknown> | unknown[]} table
   */
  const count = (name, table) => {
    const known = tables.get(name) ?? { name, size: 0, departed: 0, objects: new Set() }
    known.size += sizeOf(table)
    known.departed += countDeparted(table, isDeparted)
    known.objects.add(table)
    tables.set(name, known)
  }
  for (const [name, root] of Object.entries(roots)) visit(name, root, 0)
  return tables
}

/**
 * Every map and set of this process with a key of a departed peer, private ones included. V8 finds them, so no table is
 * missing because nobody thought of it.
 *
 * @param {(key: unknown) => boolean} isDeparted
 */
export async function allTables(isDeparted) {
  const found = []
  for (const table of /** @type {(Map<unknown, unknown> | Set<unknown>)[]} */ (await instancesOf('Map', 'Set'))) {
    if (!isTable(table)) continue
    const departed = countDeparted(table, isDeparted)
    if (departed > 0) found.push({ name: describe(table), table, size: table.size, departed })
  }
  return found
}

/**
 * The service of a libp2p node in this process, by its tag. Finds it in a bundle too, where no export leads to it.
 *
 * @param {string} tag
 * @returns {Promise<any>}
 */
export async function findService(tag) {
  const found = (await instancesOf('EventTarget')).filter((one) => Reflect.get(one, Symbol.toStringTag) === tag)
  // Its prototype may have the tag too.
  return found.find((one) => Object.hasOwn(one, Symbol.toStringTag))
}

/** V8 gives objects to a debugger; a property of the global object takes them from there to this code. */
const handOver = Symbol.for('tracemesh.bench.tables')
const giveThis = 'function () { globalThis[Symbol.for("tracemesh.bench.tables")] = this }'
const objectGroup = 'tables'

/**
 * All reachable objects of these global classes and their subclasses. Collects all garbage first.
 *
 * @param {...('Map' | 'Set' | 'EventTarget')} classes
 * @returns {Promise<object[]>}
 */
async function instancesOf(...classes) {
  const session = new Session()
  session.connect()
  try {
    const lists = []
    for (const name of classes) {
      const { result } = await session.post('Runtime.evaluate', { expression: `${name}.prototype`, objectGroup })
      const query = { prototypeObjectId: String(result.objectId), objectGroup }
      const { objects } = await session.post('Runtime.queryObjects', query)
      const objectId = String(objects.objectId)
      await session.post('Runtime.callFunctionOn', { objectId, functionDeclaration: giveThis })
      lists.push(...Reflect.get(globalThis, handOver))
    }
    return lists
  } finally {
    Reflect.deleteProperty(globalThis, handOver)
    await session.post('Runtime.releaseObjectGroup', { objectGroup })
    session.disconnect()
  }
}

/**
 * The prototype of a subclass is no table itself.
 *
 * @param {Map<unknown, unknown> | Set<unknown>} value
 */
function isTable(value) {
  try {
    return value.size >= 0
  } catch {
    return false
  }
}

/**
 * @param {Iterable<unknown> & { keys(): Iterable<unknown> }} table
 * @param {(key: unknown) => boolean} isDeparted
 */
function countDeparted(table, isDeparted) {
  let departed = 0
  // Map.prototype.keys: a subclass may return something else.
  const keys = table instanceof Map ? Map.prototype.keys.call(table) : table instanceof Set ? table : table
  for (const key of keys) if (isDeparted(key)) departed++
  return departed
}

/** @param {Map<unknown, unknown> | Set<unknown> | unknown[]} table */
function sizeOf(table) {
  return Array.isArray(table) ? table.length : table.size
}

/** @param {Map<unknown, unknown> | Set<unknown>} table */
function describe(table) {
  const [value] = table instanceof Map ? Map.prototype.values.call(table) : table
  return `${table.constructor.name} of ${typeof value === 'object' ? (value?.constructor?.name ?? 'null') : typeof value}`
}

/**
 * Connections and streams hold much, go by themselves, and are counted where they are listed; bytes are no table.
 *
 * @param {object} value
 */
function isOpaque(value) {
  return (
    ArrayBuffer.isView(value) ||
    value instanceof ArrayBuffer ||
    value instanceof Promise ||
    'remoteAddr' in value ||
    'rawStream' in value ||
    'writeStatus' in value
  )
}
