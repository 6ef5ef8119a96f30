import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { addNumbers, countMissing, emptySequence, type Sequence } from './sequence.ts'
import type { Origin, SpanRecord } from './span-types.ts'

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
