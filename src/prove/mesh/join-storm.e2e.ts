import { setTimeout as sleep } from 'node:timers/promises'
import { mean as average } from 'simple-statistics'
import { endToEnd } from '../end-to-end.ts'
import { atMost, equals } from '../proof.ts'
import { startProgram } from '../test-program.ts'

const crowdSize = 150
const topic = 'own'
const joinMs = 60_000
/** After all have joined: late heals show. */
const restMs = 15_000
const runsPerSide = 2

type Outcome = Awaited<ReturnType<typeof runStorm>>

export const proof = endToEnd({
  name: 'join-storm',
  about: `${crowdSize} peers join a node at once: the node heals no gossip that is merely slow, and CPU and time are those without healing`,
  quick: false,
  seconds: 240,
  async run({ progress }) {
    const outcomes: Outcome[] = []
    for (let run = 0; run < runsPerSide; run++) {
      for (const healing of [true, false]) {
        const outcome = await runStorm(healing)
        progress(`healing ${healing ? 'on' : 'off'}: ${JSON.stringify(outcome)}`)
        outcomes.push(outcome)
      }
    }
    const mean = (healing: boolean, of: (outcome: Outcome) => number) =>
      average(outcomes.filter((one) => one.healing === healing).map(of))
    const ratio = (of: (outcome: Outcome) => number) => mean(true, of) / mean(false, of)
    const figures = { outcomes }
    const healed = Math.max(...outcomes.filter((one) => one.healing).map(({ heals }) => heals))
    const subscribers = Math.min(...outcomes.map((one) => one.subscribers))
    const [joinRatio, cpuRatio] = [ratio(({ joinedMs }) => joinedMs), ratio(({ cpuMs }) => cpuMs)]
    const checks = [
      equals('fewest peers that the node knows in the end', crowdSize, subscribers),
      atMost('most heals and identify retries in a run', 5, healed),
      atMost('time until all have joined, over that without healing', 1.5, joinRatio),
      atMost('CPU of the node, over that without healing', 1.25, cpuRatio),
    ]
    return { figures, checks }
  },
})

/** Runs one node and one crowd. */
async function runStorm(healing: boolean) {
  await using hub = startProgram('cluster/join-hub.ts', [topic, healing ? 'on' : 'off'])
  const address = String((await hub.nextEvent('ready', 20_000))['address'])
  await using crowd = startProgram('cluster/join-crowd.ts', [address, topic, String(crowdSize)])
  await crowd.nextEvent('ready', 60_000)
  hub.write('')
  const before = Number((await hub.nextEvent('count', 10_000))['cpuMs'])
  crowd.write('')
  const joinedMs = Number((await crowd.nextEvent('joined', joinMs))['ms'])
  await sleep(restMs)
  hub.write('')
  const { cpuMs, heals, subscribers } = await hub.nextEvent('count', 10_000)
  return {
    healing,
    joinedMs,
    cpuMs: Number(cpuMs) - before,
    heals: Number(heals),
    subscribers: Number(subscribers),
  }
}
