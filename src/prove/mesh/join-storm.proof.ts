import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { loadavg } from 'node:os'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { until } from '../../testing/until.ts'
import { atMost, type Check, equals, type Proof } from '../proof.ts'

const crowdSize = 150
const topic = 'own'
const joinMs = 60_000
/** After all have joined: what is healed late shows. */
const restMs = 15_000
const runsEach = 2

interface Outcome {
  readonly healing: boolean
  readonly joinedMs: number
  readonly cpuMs: number
  readonly heals: number
  readonly subscribers: number
}

export const proof: Proof = {
  name: 'join-storm',
  about: `${crowdSize} peers that join a node at once: gossip that is merely slow is not healed, and costs what it costs without healing`,
  quick: false,
  seconds: 240,
  async run({ progress }) {
    const outcomes: Outcome[] = []
    for (let run = 0; run < runsEach; run++) {
      for (const healing of [true, false]) {
        const outcome = await storm(healing)
        progress(`healing ${healing ? 'on' : 'off'}: ${JSON.stringify(outcome)}`)
        outcomes.push(outcome)
      }
    }
    const mean = (healing: boolean, of: (outcome: Outcome) => number) => {
      const values = outcomes.filter((one) => one.healing === healing).map(of)
      return values.reduce((sum, value) => sum + value, 0) / values.length
    }
    const ratio = (of: (outcome: Outcome) => number) => mean(true, of) / mean(false, of)
    const figures = { outcomes, load: loadavg() }
    const healed = Math.max(...outcomes.filter((one) => one.healing).map(({ heals }) => heals))
    const checks: Check[] = [
      equals(
        'fewest peers that the node knows in the end',
        crowdSize,
        Math.min(...outcomes.map((one) => one.subscribers)),
      ),
      atMost('most heals and identify retries in a run', 5, healed),
      atMost(
        'time until all have joined, over that without healing',
        1.5,
        ratio(({ joinedMs }) => joinedMs),
      ),
      atMost(
        'CPU of the node, over that without healing',
        1.25,
        ratio(({ cpuMs }) => cpuMs),
      ),
    ]
    return { figures, checks }
  },
}

/** One node, one crowd. */
async function storm(healing: boolean): Promise<Outcome> {
  await using hub = program('join-hub.ts', [topic, healing ? 'on' : 'off'])
  const address = String((await hub.said('ready', 20_000))['address'])
  await using crowd = program('join-crowd.ts', [address, topic, String(crowdSize)])
  await crowd.said('ready', 60_000)
  hub.write()
  const before = Number((await hub.said('count', 10_000))['cpuMs'])
  crowd.write()
  const joinedMs = Number((await crowd.said('joined', joinMs))['ms'])
  await new Promise((resolve) => setTimeout(resolve, restMs))
  hub.write()
  const { cpuMs, heals, subscribers } = await hub.said('count', 10_000)
  return {
    healing,
    joinedMs,
    cpuMs: Number(cpuMs) - before,
    heals: Number(heals),
    subscribers: Number(subscribers),
  }
}

/** A program of `src/testing` that prints events and reads lines, and ends with its input. */
function program(file: string, args: readonly string[]) {
  const path = fileURLToPath(new URL(`../../testing/${file}`, import.meta.url))
  const child = spawn(process.execPath, [path, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'close')
  const said: Record<string, unknown>[] = []
  child.stdin.on('error', () => {})
  createInterface({ input: child.stdout }).on('line', (line) => said.push(JSON.parse(line)))
  return {
    write: () => void child.stdin.write('\n'),
    /** The next event of this kind. */
    said: async (event: string, limitMs: number) => {
      const find = () => said.findIndex((one) => one['event'] === event)
      await until(() => find() >= 0, limitMs, `${file} says ${event}`)
      const [found] = said.splice(find(), 1)
      return found ?? {}
    },
    [Symbol.asyncDispose]: async () => {
      child.stdin.end()
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await exited
      clearTimeout(timer)
    },
  }
}
