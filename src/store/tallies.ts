import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Origin, SpanRecord } from './span-record.ts'

/** Spans of one process of a node, since the file was created. */
export interface SenderTally {
  readonly service: string
  readonly node: string
  readonly instance: string
  readonly spans: number
  /** Highest `mesh.seq`; 0 if the spans have none. */
  readonly lastSeq: number
  /** Missing numbers below it. */
  readonly missing: number
}

/** Most names and senders; above that the rarest name and the sender that was silent longest are deleted. */
const bounds = { names: 4_096, senders: 4_096 }
/** Longest name in these tables, in characters; only these tables truncate names. */
const nameChars = 256

/** Counts of received spans, including evicted ones; committed to the database together with the spans. */
export class Tallies {
  readonly #database: DatabaseSync
  readonly #name: StatementSync
  readonly #sender: StatementSync
  readonly #sequence: StatementSync
  readonly #total: StatementSync

  constructor(database: DatabaseSync) {
    this.#database = database
    this.#name = database.prepare(
      'INSERT INTO names VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET spans = spans + excluded.spans',
    )
    this.#sender = database.prepare(
      `INSERT INTO senders VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
        spans = spans + excluded.spans, sequence = excluded.sequence, atMs = excluded.atMs`,
    )
    this.#sequence = database.prepare('SELECT sequence FROM senders WHERE service = ? AND node = ? AND instance = ?')
    this.#total = database.prepare(
      'INSERT INTO totals VALUES (?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count',
    )
  }

  /** Call within a transaction. */
  add(records: readonly SpanRecord[], nowMs: number): void {
    const nameKeyOf = ({ origin, name, kind }: SpanRecord) => JSON.stringify([cut(origin.service), cut(name), kind])
    for (const [key, group] of Map.groupBy(records, nameKeyOf)) {
      const [service, name, kind] = JSON.parse(key) as [string, string, string]
      this.#name.run(service, name, kind, group.length)
    }
    for (const [origin, group] of Map.groupBy(records, (record) => record.origin)) {
      const senderKey = [cut(origin.service), textIn(origin, 'mesh.node.name'), textIn(origin, 'service.instance.id')]
      const sequence = addNumbers(
        sequenceIn(this.#sequence.get(...senderKey)),
        group.map(({ text }) => seqIn(text)),
      )
      this.#sender.run(...senderKey, group.length, JSON.stringify(sequence), nowMs)
    }
  }

  addTo(total: 'evicted' | 'refused', count: number): void {
    if (count > 0) this.#total.run(total, count)
  }

  trim(): void {
    this.#database.exec(
      `DELETE FROM names WHERE (service, name, kind) IN
        (SELECT service, name, kind FROM names ORDER BY spans DESC LIMIT -1 OFFSET ${bounds.names});
      DELETE FROM senders WHERE (service, node, instance) IN
        (SELECT service, node, instance FROM senders ORDER BY atMs DESC LIMIT -1 OFFSET ${bounds.senders});`,
    )
  }

  total(what: 'evicted' | 'refused'): number {
    const row = this.#database.prepare('SELECT count FROM totals WHERE what = ?').get(what)
    return Number(row?.['count'] ?? 0)
  }

  services(): string[] {
    const rows = this.#database.prepare("SELECT DISTINCT service FROM names WHERE service <> '' ORDER BY service").all()
    return rows.map(({ service }) => String(service))
  }

  /** An empty `kind` means any. */
  operations(service: string, kind: string): { readonly name: string; readonly kind: string }[] {
    const query = "SELECT name, kind FROM names WHERE service = ? AND ? IN ('', kind) ORDER BY name, kind"
    const rows = this.#database.prepare(query).all(service, kind)
    return rows.map((row) => ({ name: String(row['name']), kind: String(row['kind']) }))
  }

  names(): Record<string, number> {
    const rows = this.#database.prepare('SELECT name, sum(spans) AS spans FROM names GROUP BY name ORDER BY name').all()
    return Object.fromEntries(rows.map(({ name, spans }) => [String(name), Number(spans)]))
  }

  senders(): SenderTally[] {
    const columns = 'service, node, instance, spans, sequence'
    const rows = this.#database.prepare(`SELECT ${columns} FROM senders ORDER BY service, node, instance`).all()
    return rows.map(({ sequence, ...row }) => {
      const records = sequenceIn({ sequence })
      return { ...(row as unknown as SenderTally), lastSeq: records.last, missing: countMissing(records) }
    })
  }
}

function sequenceIn(row: { readonly sequence?: unknown } | undefined): Sequence {
  return row === undefined ? emptySequence : (JSON.parse(String(row.sequence)) as Sequence)
}

function cut(text: string): string {
  return text.slice(0, nameChars)
}

function textIn({ resource }: Origin, key: string): string {
  return cut(resource.attributes?.find((attribute) => attribute.key === key)?.value.stringValue ?? '')
}

/** Read from the text, for speed: it runs for every received span. */
function seqIn(text: string): number {
  return Number(/"key":"mesh\.seq","value":\{"intValue":"(\d{1,15})"/.exec(text)?.[1] ?? 0)
}

/** Received numbers of a process's spans: `mesh.seq` counts from 1. Plain data, stored as JSON. */
export interface Sequence {
  /** Highest number received; 0 before the first. */
  readonly last: number
  /** Ranges of missing numbers below it, ascending. */
  readonly gaps: readonly Gap[]
  /** Numbers in dropped gaps; they stay missing even if they arrive later. */
  readonly forgotten: number
}

export type Gap = readonly [from: number, to: number]

export const emptySequence: Sequence = { last: 0, gaps: [], forgotten: 0 }

/** Most gaps; the oldest are dropped and stay missing. A node whose exports fail leaves one per failure. */
const maxGaps = 128

/** Numbers may repeat and come in any order; those below 1 are ignored. */
export function addNumbers(sequence: Sequence, numbers: readonly number[]): Sequence {
  let { last, forgotten } = sequence
  let gaps = [...sequence.gaps]
  for (const number of numbers) {
    if (number > last) {
      if (number > last + 1) gaps.push([last + 1, number - 1])
      last = number
    } else if (number >= 1) gaps = splitGap(gaps, number)
  }
  for (const [from, to] of gaps.splice(0, gaps.length - maxGaps)) forgotten += to - from + 1
  return { last, gaps, forgotten }
}

/** Counts the missing numbers from 1 to the highest. */
export function countMissing({ gaps, forgotten }: Sequence): number {
  return gaps.reduce((sum, [from, to]) => sum + to - from + 1, forgotten)
}

function splitGap(gaps: Gap[], number: number): Gap[] {
  const at = gaps.findLastIndex(([from]) => from <= number)
  const [from, to] = gaps[at] ?? [0, 0]
  // Not in a gap: a duplicate.
  if (number > to) return gaps
  const left: Gap[] = number > from ? [[from, number - 1]] : []
  const right: Gap[] = number < to ? [[number + 1, to]] : []
  return gaps.toSpliced(at, 1, ...left, ...right)
}
