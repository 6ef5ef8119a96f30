import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A TCP relay on loopback in front of a port. */
export interface TcpRelay extends AsyncDisposable {
  readonly port: number
  /** From now on passes nothing, and hides from each side that the other has closed: its connections stay open. */
  silence(): void
}

export async function tcpRelay(to: number): Promise<TcpRelay> {
  const sockets = new Set<Socket>()
  let isSilent = false
  const join = (from: Socket, into: Socket) => {
    sockets.add(from)
    from.on('data', (data) => {
      if (!isSilent) into.write(data)
    })
    from.on('error', () => {})
    from.on('close', () => {
      sockets.delete(from)
      if (!isSilent) into.destroy()
    })
  }
  const server = createServer((client) => {
    const upstream = connect(to, '127.0.0.1')
    join(client, upstream)
    join(upstream, client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as { port: number }).port,
    silence: () => {
      isSilent = true
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}
