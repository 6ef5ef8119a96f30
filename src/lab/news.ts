import type { ViewMessage } from '../page/mesh-view.ts'
import type { LogEntry } from './child.ts'
import { type Told, toldBy } from './told.ts'

const bounds = { tells: 200, messages: 200, problems: 50 }

/** The last of what happened: a bounded list of each kind, newest last. */
export class News {
  readonly #tells: Told[] = []
  readonly #messages: ViewMessage[] = []
  readonly #problems: string[] = []

  get tells(): readonly Told[] {
    return this.#tells
  }

  get messages(): readonly ViewMessage[] {
    return this.#messages
  }

  get problems(): readonly string[] {
    return this.#problems
  }

  problem(text: string): void {
    keep(this.#problems, text, bounds.problems)
  }

  /** Takes in a line of a node's log; returns what it tells, if that is worth a line. */
  line(node: string, entry: LogEntry): Told | undefined {
    const told = toldBy(node, entry)
    if (told !== undefined) keep(this.#tells, told, bounds.tells)
    const message = /^mesh\.message\.(published|received)$/.exec(String(entry['msg']))?.[1]
    if (message !== undefined) {
      const text = `${message} ${entry['mesh.message.topic']}, ${entry['mesh.message.bytes']} bytes`
      keep(this.#messages, { atMs: Date.parse(String(entry['time'])), node, text }, bounds.messages)
    }
    return told
  }
}

function keep<T>(list: T[], item: T, most: number): void {
  list.push(item)
  if (list.length > most) list.shift()
}
