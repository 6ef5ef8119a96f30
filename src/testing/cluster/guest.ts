import { fileURLToPath } from 'node:url'
import { nodeCommand } from '../../processes/node-program.ts'
import { Subprocess } from '../../processes/subprocess.ts'

/** A peer of any implementation in its own process, with the interface that `guest-peer.ts` describes. */
export interface Guest extends AsyncDisposable {
  readonly peer: string
  /** Messages it received on its topic, oldest first. */
  readonly messages: readonly { readonly from: string; readonly text: string }[]
  publish(text: string): void
  /** Sends SIGKILL. */
  kill(): Promise<void>
  /** Ends its input; sends SIGKILL if it then does not exit. */
  leave(): Promise<void>
}

/** Limits, milliseconds: until it is connected, and from the end of its input to its exit. */
const startMs = 20_000
const leaveMs = 5_000

/** The command line of a plain js-libp2p guest. */
export function plainGuest(): readonly string[] {
  return nodeCommand(fileURLToPath(new URL('guest-peer.ts', import.meta.url)))
}

/** Starts a guest that dials `address` (with `/p2p/`), and resolves once it is connected. */
export async function startGuest(
  command: readonly string[],
  address: string,
  topic: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Guest> {
  const messages: { from: string; text: string }[] = []
  const ready = Promise.withResolvers<string>()
  const guest = new Subprocess({
    name: 'the guest',
    command: [...command, address, topic],
    env: { ...process.env, ...env },
    input: true,
    onLine: (line) => {
      const event = JSON.parse(line) as { event: string; peer: string; from: string; text: string }
      if (event.event === 'ready') ready.resolve(event.peer)
      if (event.event === 'message') messages.push({ from: event.from, text: event.text })
    },
  })
  const leave = async () => void (await guest.endInput(leaveMs))
  return {
    peer: await guest.ready(ready.promise, startMs),
    messages,
    publish: (text) => guest.write(`publish ${text}\n`),
    kill: async () => void (await guest.stop(0, 'SIGKILL')),
    leave,
    [Symbol.asyncDispose]: leave,
  }
}
