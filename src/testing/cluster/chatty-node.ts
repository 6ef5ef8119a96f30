import { runUntilStopped } from '../../commands/run-until-stopped.ts'
import { parseConfig } from '../../node/config.ts'
import { startNode } from '../../node/node.ts'

// A node, configured by its environment, that publishes twice a second and prints the messages it receives. From a
// SIGUSR2 on it keeps some 20 KB for each of them: a leak for the proofs that look for it.

/** A message; printed as `{ said }` when published and as `{ heard, from, at }` on arrival. Unix milliseconds. */
interface Chat {
  readonly n: number
  readonly sentAt: number
}

const topic = 'chat'
const intervalMs = 500

const kept: object[] = []
let isLeaking = false
process.on('SIGUSR2', () => {
  isLeaking = true
})

function keepForever(chat: Chat): void {
  kept.push(Array.from({ length: 500 }, (_, part) => ({ part, chat })))
}

process.exitCode = await runUntilStopped(async () => {
  const node = await startNode(parseConfig(process.env))
  node.mesh.subscribe(topic, ({ from, data }) => {
    const chat = JSON.parse(Buffer.from(data).toString()) as Chat
    print({ heard: chat, from, at: Date.now() })
    if (isLeaking) keepForever(chat)
  })
  let n = 0
  const talk = async () => {
    const chat: Chat = { n: ++n, sentAt: Date.now() }
    await node.mesh.publish(topic, Buffer.from(JSON.stringify(chat)))
    print({ said: chat })
  }
  const timer = setInterval(() => {
    talk().catch((error: unknown) => print({ failed: String(error) }))
  }, intervalMs)
  return {
    stop: async (cause) => {
      clearInterval(timer)
      await node.stop(cause)
    },
  }
})

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
