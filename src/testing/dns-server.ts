import { createSocket } from 'node:dgram'
import { type Answer, decode, encode } from 'dns-packet'

export interface DnsServer {
  /** `127.0.0.1:<port>`, as a resolver is told. */
  readonly address: string
  /** Names that were asked for with their type, in order: `seed.test A`. */
  readonly asked: readonly string[]
  /** Sets the IPv4 addresses of a name, from now on; none means that there is no such name. */
  set(name: string, addresses: readonly string[]): void
  close(): Promise<void>
}

/** Nobody is to keep an answer. */
const ttlSeconds = 0

/** A name server on loopback UDP that knows what it has been told, for tests. */
export async function startDnsServer(): Promise<DnsServer> {
  const socket = createSocket('udp4')
  const asked: string[] = []
  let names: readonly { readonly name: string; readonly addresses: readonly string[] }[] = []
  socket.on('message', (bytes, { port, address }) => {
    const { id, questions = [] } = decode(bytes)
    asked.push(...questions.map(({ name, type }) => `${name} ${type}`))
    const found = names.filter(({ name }) => questions.some((question) => question.name === name))
    const wantsA = questions.some(({ type }) => type === 'A')
    const answers = found.flatMap(({ name, addresses }) =>
      addresses.map((data): Answer => ({ type: 'A', name, ttl: ttlSeconds, data })),
    )
    const noSuchName = 3
    const reply = encode({
      type: 'response',
      ...(id === undefined ? {} : { id }),
      flags: found.length === 0 ? noSuchName : 0,
      questions,
      answers: wantsA ? answers : [],
    })
    socket.send(reply, port, address)
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind(0, '127.0.0.1', resolve)
  })
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    set: (name, addresses) => {
      const others = names.filter((entry) => entry.name !== name)
      names = addresses.length === 0 ? others : [...others, { name, addresses }]
    },
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  }
}
