import { createSocket } from 'node:dgram'
import { isIP } from 'node:net'
import { type Answer, decode, encode } from 'dns-packet'

export interface DnsServer {
  /** `127.0.0.1:<port>`, as a resolver takes it. */
  readonly address: string
  /** Names and types of the queries so far, in order: `seed.test A`. */
  readonly queries: readonly string[]
  /** Sets the IP addresses of a name; an empty list removes the name. */
  set(name: string, addresses: readonly string[]): void
  close(): Promise<void>
}

/** Zero, so that resolvers do not cache an answer. */
const ttlSeconds = 0

/** A DNS server for tests, on loopback UDP, with the names of `set`. */
export async function startDnsServer(): Promise<DnsServer> {
  const socket = createSocket('udp4')
  const queries: string[] = []
  let names: readonly { readonly name: string; readonly addresses: readonly string[] }[] = []
  socket.on('message', (bytes, { port, address }) => {
    const { id, questions = [] } = decode(bytes)
    queries.push(...questions.map(({ name, type }) => `${name} ${type}`))
    const entries = names.filter(({ name }) => questions.some((question) => question.name === name))
    const typeOf = (ip: string) => (isIP(ip) === 6 ? 'AAAA' : 'A')
    const answers = entries.flatMap(({ name, addresses }) =>
      addresses
        .filter((data) => questions.some(({ type }) => type === typeOf(data)))
        .map((data): Answer => ({ type: typeOf(data), name, ttl: ttlSeconds, data })),
    )
    const nxDomain = 3
    const reply = encode({
      type: 'response',
      ...(id === undefined ? {} : { id }),
      flags: entries.length === 0 ? nxDomain : 0,
      questions,
      answers,
    })
    socket.send(reply, port, address)
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind(0, '127.0.0.1', resolve)
  })
  return {
    address: `127.0.0.1:${socket.address().port}`,
    queries,
    set: (name, addresses) => {
      const others = names.filter((entry) => entry.name !== name)
      names = addresses.length === 0 ? others : [...others, { name, addresses }]
    },
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  }
}
