import { runUntilStopped } from '../../commands/run-until-stopped.ts'
import { parseConfig } from '../../node/config.ts'
import { startNode } from '../../node/node.ts'

// A node, configured by its environment, that every second publishes news and requests a greeting from every linked
// peer. It prints the news and answers it receives, and answers greeting requests.

const intervalMs = 1_000
const bytes = (text: string) => new TextEncoder().encode(text)
const text = (data: Uint8Array) => new TextDecoder().decode(data)
const printLine = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)

process.exitCode = await runUntilStopped(async () => {
  const config = parseConfig(process.env)
  const node = await startNode(config)
  node.mesh.subscribe('news', ({ from, data }) => printLine({ heard: text(data), from }))
  node.mesh.respond('greet', ({ data }) => bytes(`${config.name} greets ${text(data)}`))
  const talk = async () => {
    await node.mesh.publish('news', bytes(`news from ${config.name}`))
    for (const { peer } of node.mesh.topology().peers)
      printLine({ from: peer, answer: await node.mesh.request(peer, 'greet', bytes('you')).then(text, String) })
  }
  const timer = setInterval(() => talk().catch((error: unknown) => printLine({ failed: String(error) })), intervalMs)
  return {
    stop: async (cause) => {
      clearInterval(timer)
      await node.stop(cause)
    },
  }
})
