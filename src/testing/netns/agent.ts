import { execFileSync, spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { fetchJson } from '../fetch-json.ts'
import { env } from './commands.ts'
import { hasEcho, startEcho, type Transport } from './echo.ts'

/*
 * Program that a network namespace lives by: it ends with its parent, and the namespace with it. It passes a listener on
 * the namespace's loopback to its parent, which so accepts connections from within, and asks others for its parent.
 */

export interface Question {
  readonly id: number
  readonly ask: { readonly url: string } | { readonly transport: Transport; readonly address: string }
}

export type Message =
  | { readonly listening: number }
  | { readonly id: number; readonly body: unknown }
  | { readonly id: number; readonly error: string }

const send = (message: Message) => void process.send?.(message)

process.on('message', ({ id, ask }: Question) => {
  const answer = 'url' in ask ? fetchJson(ask.url) : hasEcho(ask.transport, ask.address)
  answer.then(
    (body) => send({ id, body }),
    (error: Error) => send({ id, error: error.message }),
  )
})

// Not everywhere allowed; without it, /sys lists the interfaces of the machine.
spawnSync('mount', ['-t', 'sysfs', 'sysfs', '/sys'], { env })
execFileSync('ip', ['link', 'set', 'lo', 'up'], { env })
await startEcho()
const server = createServer()
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  const listening = typeof address === 'object' ? (address?.port ?? 0) : 0
  // Only the parent is to accept: the listener is given away, not shared.
  process.send?.({ listening } satisfies Message, server, undefined, () => server.close())
})
