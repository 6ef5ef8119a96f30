import { execFileSync, spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { fetchJson } from '../cluster/process-host.ts'
import { env } from './commands.ts'
import { hasEcho, startEcho, type Transport } from './echo.ts'

/*
 * Program that keeps a network namespace alive until its parent ends. It passes a listener on the namespace's loopback
 * to its parent, which then accepts connections from inside, and sends its parent's requests.
 */

export interface AgentRequest {
  readonly id: number
  readonly request:
    | { readonly url: string }
    | { readonly transport: Transport; readonly address: string; readonly limitMs: number }
}

export type AgentMessage =
  | { readonly listening: number }
  | { readonly id: number; readonly body: unknown }
  | { readonly id: number; readonly error: string }

const send = (message: AgentMessage) => void process.send?.(message)

process.on('message', ({ id, request }: AgentRequest) => {
  const answer =
    'url' in request ? fetchJson(request.url) : hasEcho(request.transport, request.address, request.limitMs)
  answer.then(
    (body) => send({ id, body }),
    (error: Error) => send({ id, error: error.message }),
  )
})

// Some systems forbid this mount; without it, /sys lists the interfaces of the machine.
spawnSync('mount', ['-t', 'sysfs', 'sysfs', '/sys'], { env })
execFileSync('ip', ['link', 'set', 'lo', 'up'], { env })
await startEcho()
const server = createServer()
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  const listening = typeof address === 'object' ? (address?.port ?? 0) : 0
  // Only the parent may accept: the agent hands over the listener and closes its own copy.
  process.send?.({ listening } satisfies AgentMessage, server, undefined, () => server.close())
})
