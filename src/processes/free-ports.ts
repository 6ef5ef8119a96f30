import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { errorCode } from '../core/errors.ts'

/** Below Linux's range of ephemeral ports: a port stays free while its process restarts. */
const lowest = 20_000
const highest = 32_000
/** Attempts per port after which all ports count as in use. Guess. */
const maxTries = 200

/** A socket that listens on loopback. */
interface Reservation {
  readonly port: number
  close(): unknown
}

/** Listens on a port; rejects when it is in use. */
type Bind = (port: number) => Promise<Reservation>

const randomPort = () => lowest + Math.floor(Math.random() * (highest - lowest))

/** Finds `count` different UDP ports that are free on loopback. Rejects when binding fails, or too few are free. */
export function freeUdpPorts(count: number, nextPort = randomPort): Promise<readonly number[]> {
  return reserve('UDP', bindUdp, Array<number>(count).fill(0), nextPort)
}

/**
 * Finds TCP ports that are free on loopback, all different; another process may still take them. Rejects when binding
 * fails, or too few are free.
 *
 * @param preferred One entry per port: the port to use if it is free, or 0 for any.
 */
export function freeTcpPorts(preferred: readonly number[]): Promise<readonly number[]> {
  return reserve('TCP', bindTcp, preferred, randomPort)
}

/** Keeps the ports until it has all of them: so they are different. */
async function reserve(protocol: string, bind: Bind, preferred: readonly number[], nextPort: () => number) {
  const reservations: Reservation[] = []
  try {
    for (const first of preferred) {
      let reservation = first === 0 ? undefined : await tryBind(bind, first)
      for (let tries = 0; reservation === undefined; tries++) {
        if (tries === maxTries)
          throw new Error(`tried ${tries} ${protocol} ports, ${preferred.length - reservations.length} more needed`)
        reservation = await tryBind(bind, nextPort())
      }
      reservations.push(reservation)
    }
    return reservations.map(({ port }) => port)
  } finally {
    await Promise.all(reservations.map((one) => one.close()))
  }
}

async function tryBind(bind: Bind, port: number): Promise<Reservation | undefined> {
  try {
    return await bind(port)
  } catch (error) {
    // Any other error would occur for every port.
    if (errorCode(error) === 'EADDRINUSE') return undefined
    throw error
  }
}

async function bindUdp(port: number): Promise<Reservation> {
  const socket = createSocket('udp4')
  socket.bind({ port, address: '127.0.0.1', exclusive: true })
  try {
    await once(socket, 'listening')
    return { port, close: () => socket.close() }
  } catch (error) {
    socket.close()
    throw error
  }
}

async function bindTcp(port: number): Promise<Reservation> {
  // Exclusive: detects a port in use on all interfaces.
  const server = createServer().listen({ port, host: '127.0.0.1', exclusive: true })
  await once(server, 'listening')
  return { port, close: () => once(server.close(), 'close') }
}
