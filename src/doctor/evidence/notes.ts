import type { Value } from '../../traces/trace.ts'
import { BoundedMap } from './bounded-map.ts'
import { fieldsOfList, lineOf, numberOf, partsOfLine } from './lists.ts'
import type { Series } from './series.ts'

/** Where values go. */
export interface NoteTarget {
  /** Undefined without room. */
  noteNumber(key: string, atMs: number, value: number): Series | undefined
  noteText(key: string, atMs: number, value: Value): void
}

/** What one attribute is of, with where its last value went. */
interface Slot {
  readonly attribute: string
  /** Of its series; undefined for an attribute that nobody asks for. */
  readonly key: string | undefined
  /** Of a list's lines. */
  readonly fields: readonly string[] | undefined
  series: Series | undefined
  lines: LineNumbers[]
  /** The list that `lines` are of. */
  list: Value | undefined
  /** The attribute that came after it last time, and so probably comes again. */
  next: Slot | undefined
}

interface LineNumbers {
  /** The key with the space after it. */
  readonly start: string
  /** Of each field; undefined for one that is no number, or without room. */
  readonly series: readonly (Series | undefined)[]
  line: string
  values: readonly number[]
}

/** Attributes that are remembered. */
const maxSlots = 512

/**
 * Notes the attributes of the spans of one kind of one process. They are the same every time, in the same order, and so
 * are most lines of their lists: it remembers the series of each, since looking for hundreds of them in maps would take
 * most of the time of a file.
 */
export class Notes {
  readonly #target: NoteTarget
  readonly #keyOf: (attribute: string) => string | undefined
  readonly #slots = new BoundedMap<string, Slot>(maxSlots)
  readonly #start: { next: Slot | undefined } = { next: undefined }

  /** `keyOf`: of the series of an attribute; undefined for one that is left out. */
  constructor(target: NoteTarget, keyOf: (attribute: string) => string | undefined) {
    this.#target = target
    this.#keyOf = keyOf
  }

  add(attributes: readonly string[], values: readonly Value[], atMs: number): void {
    let last = this.#start
    for (let index = 0; index < attributes.length; index++) {
      const attribute = attributes[index] as string
      let slot = last.next
      if (slot?.attribute !== attribute) {
        slot = this.#find(attribute)
        last.next = slot
      }
      this.#note(slot, values[index] as Value, atMs)
      last = slot
    }
  }

  #find(attribute: string): Slot {
    const create = (): Slot => ({
      attribute,
      key: this.#keyOf(attribute),
      fields: fieldsOfList(attribute),
      series: undefined,
      lines: [],
      list: undefined,
      next: undefined,
    })
    return this.#slots.getOrCreate(attribute, create) ?? create()
  }

  #note(slot: Slot, value: Value, atMs: number): void {
    if (slot.key === undefined) return
    if (typeof value !== 'number') {
      this.#target.noteText(slot.key, atMs, value)
      if (slot.fields !== undefined && typeof value === 'object') this.#noteList(slot, slot.fields, value, atMs)
    } else if (slot.series !== undefined) slot.series.note(atMs, value)
    else slot.series = this.#target.noteNumber(slot.key, atMs, value)
  }

  #noteList(slot: Slot, fields: readonly string[], list: readonly unknown[], atMs: number): void {
    if (list !== slot.list) {
      const previous = slot.lines
      slot.lines = list.map((entry, index) =>
        this.#lineOf(slot, fields, lineOf(slot.attribute, entry), previous[index], atMs),
      )
      slot.list = list as Value
    }
    for (const { series, values } of slot.lines)
      for (let field = 0; field < series.length; field++) series[field]?.note(atMs, values[field] as number)
  }

  /** The numbers of a line, in `known` if that is of the same key. */
  #lineOf(
    { key = '' }: Slot,
    fields: readonly string[],
    line: string,
    known: LineNumbers | undefined,
    atMs: number,
  ): LineNumbers {
    if (known?.line === line) return known
    if (known !== undefined && line.startsWith(known.start)) {
      const values = line.slice(known.start.length).split(' ').map(numberOf)
      const isSame = values.every((value, field) => Number.isFinite(value) === (known.series[field] !== undefined))
      if (values.length === fields.length && isSame) {
        known.line = line
        known.values = values
        return known
      }
    }
    const { start, values } = partsOfLine(line, fields.length)
    const series = values.map((value, field) =>
      Number.isFinite(value) ? this.#target.noteNumber(`${key} ${start}${fields[field]}`, atMs, value) : undefined,
    )
    return { start, series, line, values }
  }
}
