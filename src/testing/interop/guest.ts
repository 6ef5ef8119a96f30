import { fileURLToPath } from 'node:url'
import type { Random } from '../../core/machine.ts'
import { nodeCommand } from '../../processes/node-program.ts'
import { Subprocess } from '../../processes/subprocess.ts'
import { until } from '../../processes/waiting.ts'

/**
 * The command line of a guest, which every implementation has (`js-guest.ts`, `go`, `rust`). All guests sign their
 * messages, and have the message id of the specification.
 */
export interface GuestOptions {
  /** `--seed`: Ed25519 seed, 64 hexadecimal digits, so that it is the same peer again; by default random. */
  readonly seed?: string
  /** `--listen`: multiaddrs; by default it does not listen. */
  readonly listen?: readonly string[]
  /** `--dial`: multiaddrs with `/p2p/` that it dials once at its start. */
  readonly dial?: readonly string[]
  /** `--topic`: topics that it subscribes to; it publishes to the first. */
  readonly topics?: readonly string[]
  /** `--dht`: runs kad-dht as client or server; not by default, and never in the js guest. */
  readonly dht?: 'client' | 'server'
}

/** A message on one of its topics. */
export interface GuestMessage {
  readonly from: string
  /** Message id, in hexadecimal digits. */
  readonly id: string
  /** At most the first 256 bytes. */
  readonly text: string
  readonly bytes: number
}

/** Events that a guest prints, one JSON object a line. */
type GuestEvent =
  | { readonly event: 'listening'; readonly peer: string; readonly addresses: readonly string[] }
  /** After identify. */
  | { readonly event: 'connected'; readonly peer: string }
  /** A connection closed; `left`: connections to the peer that it still has. */
  | { readonly event: 'disconnected'; readonly peer: string; readonly left: number }
  | ({ readonly event: 'message' | 'published' } & GuestMessage)
  | { readonly event: 'found'; readonly peer: string; readonly addresses: readonly string[] }
  /** The lowest score that it gave to each peer. */
  | { readonly event: 'scores'; readonly worst: Readonly<Record<string, number>> }
  | { readonly event: 'failed'; readonly command: string; readonly error: string }

/** Commands that a guest reads, one a line: the name and its argument. It ends at the end of its input. */
type GuestCommand = 'publish' | 'publish-big' | 'dial' | 'disconnect' | 'find' | 'scores'

/** A libp2p peer of any implementation, without the mesh protocol, in its own process. */
export interface Guest extends AsyncDisposable {
  readonly peer: string
  /** Where it listens, without `/p2p/`. */
  readonly addresses: readonly string[]
  /** Messages that it received, oldest first. */
  readonly messages: readonly GuestMessage[]
  /** Its own messages, oldest first. */
  readonly published: readonly GuestMessage[]
  isConnected(peer: string): boolean
  publish(text: string): void
  /** Publishes so many bytes. The guest may refuse that. */
  publishBytes(bytes: number): void
  dial(address: string): void
  disconnect(peer: string): void
  /** Addresses of a peer by the DHT; undefined if the query did not find it. */
  find(peer: string): Promise<readonly string[] | undefined>
  /** The lowest score that it gave to each peer since its start. */
  worstScores(): Promise<Readonly<Record<string, number>>>
  /** Sends SIGKILL. */
  kill(): Promise<void>
  /** Ends its input; sends SIGKILL if it then does not exit. */
  leave(): Promise<void>
}

/** Limits in milliseconds: its start, with its dials; an answer to a command; its exit. */
const limits = { start: 20_000, answer: 20_000, leave: 5_000 }

/** The command of a plain js-libp2p guest. */
export function jsGuest(): readonly string[] {
  return nodeCommand(fileURLToPath(new URL('js-guest.ts', import.meta.url)))
}

/** A seed from these random numbers, for a guest that comes back. */
export function randomSeed(random: Random): string {
  return Array.from({ length: 64 }, () => Math.floor(random() * 16).toString(16)).join('')
}

/** Starts a guest, and resolves once it listens and is connected to all peers that it dials. */
export async function startGuest(command: readonly string[], options: GuestOptions): Promise<Guest> {
  const { seed, listen = [], dial = [], topics = [], dht } = options
  const flags = [
    ...(seed === undefined ? [] : ['--seed', seed]),
    ...listen.flatMap((address) => ['--listen', address]),
    ...dial.flatMap((address) => ['--dial', address]),
    ...topics.flatMap((topic) => ['--topic', topic]),
    ...(dht === undefined ? [] : ['--dht', dht]),
  ]
  const guest = new GuestProcess([...command, ...flags])
  await guest.start(dial)
  return guest
}

type Listening = Extract<GuestEvent, { event: 'listening' }>

class GuestProcess implements Guest {
  readonly #process: Subprocess
  readonly #listening = Promise.withResolvers<Listening>()
  readonly #answers: GuestEvent[] = []
  readonly #connected = new Set<string>()
  readonly messages: GuestMessage[] = []
  readonly published: GuestMessage[] = []
  peer = ''
  addresses: readonly string[] = []

  constructor(command: readonly string[]) {
    const onLine = (line: string) => this.#onEvent(JSON.parse(line) as GuestEvent)
    this.#process = new Subprocess({ name: 'the guest', command, input: true, onLine })
  }

  async start(dials: readonly string[]): Promise<void> {
    const { peer, addresses } = await this.#process.ready(this.#listening.promise, limits.start)
    this.peer = peer
    this.addresses = addresses
    const dialled = dials.map((address) => address.split('/p2p/')[1] ?? '')
    const connected = until(
      () => dialled.every((one) => this.isConnected(one)),
      limits.start,
      'the guest is connected',
      this.#process.ended,
    )
    await this.#process.ready(connected, limits.start)
  }

  isConnected(peer: string): boolean {
    return this.#connected.has(peer)
  }

  publish(text: string): void {
    this.#command('publish', text)
  }

  publishBytes(bytes: number): void {
    this.#command('publish-big', String(bytes))
  }

  dial(address: string): void {
    this.#command('dial', address)
  }

  disconnect(peer: string): void {
    this.#command('disconnect', peer)
  }

  async find(peer: string): Promise<readonly string[] | undefined> {
    const answer = await this.#ask('find', peer, (event) =>
      event.event === 'found' ? event.peer === peer : event.event === 'failed' && event.command === 'find',
    )
    return answer.event === 'found' ? answer.addresses : undefined
  }

  async worstScores(): Promise<Readonly<Record<string, number>>> {
    const answer = await this.#ask('scores', '', ({ event }) => event === 'scores')
    return answer.event === 'scores' ? answer.worst : {}
  }

  async kill(): Promise<void> {
    await this.#process.stop(0, 'SIGKILL')
  }

  async leave(): Promise<void> {
    await this.#process.endInput(limits.leave)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave()
  }

  #command(name: GuestCommand, argument: string): void {
    this.#process.write(`${name} ${argument}\n`)
  }

  /** Sends a command and resolves with the first event after it that is its answer. */
  async #ask(name: GuestCommand, argument: string, isAnswer: (event: GuestEvent) => boolean): Promise<GuestEvent> {
    this.#answers.length = 0
    this.#command(name, argument)
    let answer: GuestEvent | undefined
    const hasAnswered = () => {
      answer = this.#answers.find(isAnswer)
      return answer !== undefined
    }
    await until(hasAnswered, limits.answer, `an answer of the guest to ${name}`, this.#process.ended)
    if (answer === undefined) throw new Error(`no answer of the guest to ${name}`)
    return answer
  }

  #onEvent(event: GuestEvent): void {
    switch (event.event) {
      case 'listening':
        this.#listening.resolve(event)
        break
      case 'connected':
        this.#connected.add(event.peer)
        break
      case 'disconnected':
        if (event.left === 0) this.#connected.delete(event.peer)
        break
      case 'message':
        this.messages.push(event)
        break
      case 'published':
        this.published.push(event)
        break
      case 'found':
      case 'scores':
      case 'failed':
        this.#answers.push(event)
    }
  }
}
