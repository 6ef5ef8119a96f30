import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** Ends of one Service: an address, and those of its pods. */
export interface ServiceRelayOptions {
  readonly address: string
  readonly port: number
  readonly pods: readonly string[]
}

/** In place of a Service of Kubernetes: each connection to its address goes to a pod that accepts it. */
export async function serviceRelay({ address, port, pods }: ServiceRelayOptions): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>()
  const track = (socket: Socket) => {
    sockets.add(socket)
    return socket.on('error', () => {}).once('close', () => sockets.delete(socket))
  }
  let next = 0
  const join = (client: Socket, tries: number) => {
    const pod = track(connect(port, pods[next++ % pods.length] ?? address))
    const onRefused = () => {
      if (tries < pods.length) join(client, tries + 1)
      else client.destroy()
    }
    pod.once('error', onRefused)
    pod.once('connect', () => {
      pod.off('error', onRefused)
      client.pipe(pod).pipe(client)
      client.once('close', () => pod.destroy())
      pod.once('close', () => client.destroy())
    })
  }
  const server = createServer((client) => join(track(client), 1))
  server.listen(port, address)
  await once(server, 'listening')
  return {
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
