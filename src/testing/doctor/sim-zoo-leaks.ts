import type { SimParts } from '../sim/sim-mesh.ts'
import { SimRun } from './sim-run.ts'
import type { Scenario } from './sim-scenario.ts'

/** Seconds of a run with a leak: enough for ten censuses. */
const [least, most] = [300, 420]

/** Leaks of our own layers. What libp2p or the process would leak is not simulated: that would be its symptom only. */
export const leakScenarios: readonly Scenario[] = [
  {
    disease: 'link-left-open',
    name: 'a node and the others dial each other again, and no end closes the second connection',
    run: async (number) => {
      const run = new SimRun(number, { nodes: 3 + (number % 3) })
      const victim = run.pick(run.others)
      const others = [run.seed, ...run.others].filter((name) => name !== victim)
      const plant = (parts: SimParts) => {
        closeNothing(parts)
        const targets = parts.name === victim ? others : [victim]
        const addresses = targets.map((name) => run.mesh.addressOf(name))
        dialAgain(parts, addresses, 1_000 * run.between(8, 20))
      }
      await run.startSeed({ plant })
      for (const name of run.others) {
        run.pass(0, 2)
        await run.start(name, { plant })
      }
      run.pass(least, most)
      return { spans: await run.finish(), truth: { node: victim, part: /connections/ } }
    },
  },
  {
    disease: 'registry-unswept',
    name: 'entries are only inserted',
    run: (number) =>
      leakAtOne(number, /registry requests/, ({ owner }, everyMs) => {
        const registry = owner.child('paths').map<number, object>({
          name: 'requests',
          capacity: 8_192,
          expiry: { event: 'the node stops' },
          release: () => {},
        })
        let count = 0
        owner.every(everyMs, () => registry.set(count++, {}, 0))
      }),
  },
  {
    disease: 'owned-left',
    name: 'resources are adopted and never released',
    run: (number) =>
      leakAtOne(number, /\/paths/, ({ owner }, everyMs) => {
        const paths = owner.child('paths')
        let count = 0
        owner.every(everyMs, () => void paths.adopt(`path ${count++}`, () => {}))
      }),
  },
  {
    disease: 'job-stopped',
    name: 'the sweep of members no longer runs',
    run: (number) =>
      leakAtOne(number, /mesh\.staleness\.pruned/, ({ node: { view }, owner }, everyMs) => {
        const handle = view.handle.bind(view)
        owner.after(20 * everyMs, () =>
          Object.assign(view, {
            deadline: () => Infinity,
            handle: (event: Parameters<typeof handle>[0], now: number) =>
              event.type === 'tick' ? [] : handle(event, now),
          }),
        )
      }),
  },
]

/** One node of a mesh with churn is planted; the rate differs by run. */
async function leakAtOne(number: number, part: RegExp, plant: (parts: SimParts, everyMs: number) => void) {
  const run = new SimRun(number, { nodes: 3 + (number % 3) })
  const victim = run.pick(run.others)
  await run.startAll([victim])
  const everyMs = run.between(1_000, 5_000)
  await run.start(victim, { plant: (parts) => plant(parts, everyMs) })
  if (run.chance(0.5)) await run.churn(run.between(60, 120), [victim])
  run.pass(least, most)
  return { spans: await run.finish(), truth: { node: victim, part } }
}

function closeNothing({ network }: SimParts): void {
  const perform = network.perform.bind(network)
  network.perform = (effect) => {
    if (effect.do !== 'close') perform(effect)
  }
}

function dialAgain({ network, owner }: SimParts, addresses: readonly string[], everyMs: number): void {
  let count = 0
  owner.every(everyMs, () => {
    const seed = addresses[count++ % addresses.length]
    if (seed !== undefined) network.perform({ do: 'dial.seed', seed, limitMs: 5_000 })
  })
}
