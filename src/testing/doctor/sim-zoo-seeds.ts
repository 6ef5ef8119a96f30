import { closeGossipOut, hurryDialler, noticeMissingInbound, refuseDials, stopDialling } from './sim-plants.ts'
import { SimRun } from './sim-run.ts'
import type { Scenario } from './sim-scenario.ts'

/** Diseases of seeds and retries, each planted in one of our layers. */

const seedPart = /^seeds?\b/
const nobody = 'spare-0'

/** A mesh without one node, which `plant` starts; then time passes. */
async function withVictim(
  number: number,
  plant: (run: SimRun, victim: string) => Promise<void>,
  seconds: readonly [number, number],
) {
  const run = new SimRun(number, { nodes: 3 + (number % 2) })
  const victim = run.pick(run.others)
  await run.startAll([victim])
  run.pass(5, 40)
  await plant(run, victim)
  if (run.chance(0.3)) await run.churn(30, [victim])
  run.pass(...seconds)
  return { spans: await run.finish(), truth: { node: victim, part: seedPart } }
}

export const seedScenarios: readonly Scenario[] = [
  {
    disease: 'self-seed',
    name: 'its only seed is its own address',
    run: (number) =>
      withVictim(
        number,
        async (run, victim) => {
          const role = run.pick(['compute', 'seed', 'broker'] as const)
          await run.start(victim, { role, seeds: [run.mesh.addressOf(victim)] })
        },
        [130, 180],
      ),
  },
  {
    disease: 'wrong-identity',
    name: 'the address of the seed names another peer',
    run: (number) =>
      withVictim(
        number,
        async (run, victim) => {
          await run.start(victim, { seeds: [`${run.mesh.addressOf(run.seed)}/p2p/former`] })
        },
        [40, 160],
      ),
  },
  {
    disease: 'wrong-identity',
    name: 'a seed comes back with a new key, and all name the old one',
    run: async (number) => {
      const run = new SimRun(number, { nodes: 3 + (number % 2) })
      await run.startAll([], { seeds: [`${run.mesh.addressOf(run.seed)}/p2p/${run.seed}`] })
      run.pass(40, 80)
      run.mesh.kill(run.seed)
      run.pass(1, 10)
      await run.startSeed({ peer: 'new-key' })
      run.pass(60, 140)
      return { spans: await run.finish(), truth: { node: '', part: seedPart } }
    },
  },
  {
    disease: 'seed-dialled-once',
    name: 'the dialler gets no ticks after its first failure, and the seed starts later',
    run: (number) =>
      withVictim(
        number,
        async (run, victim) => {
          const seed = run.mesh.addressOf(nobody)
          const isQuick = run.chance(0.5)
          const hasAnother = run.chance(0.3)
          await run.start(victim, {
            seeds: [seed, ...(hasAnother ? [run.mesh.addressOf(run.seed)] : [])],
            plant: (parts) => {
              if (isQuick) refuseDials(parts, seed)
              stopDialling(parts, 'after', (event) => event.type === 'seed.failed')
            },
          })
          run.pass(15, 40)
          await run.mesh.start(nobody, { role: 'seed', seeds: [run.mesh.addressOf(run.seed)] })
        },
        [95, 160],
      ),
  },
  {
    disease: 'seed-dialled-once',
    name: 'the failure of the first attempt never arrives',
    run: (number) =>
      withVictim(
        number,
        async (run, victim) => {
          const seed = run.mesh.addressOf(nobody)
          await run.start(victim, {
            seeds: [seed],
            plant: (parts) => {
              const perform = parts.network.perform.bind(parts.network)
              parts.network.perform = (effect) => (effect.do === 'dial.seed' ? undefined : perform(effect))
              stopDialling(parts, 'after', (event) => event.type === 'tick')
            },
          })
        },
        [80, 160],
      ),
  },
  {
    disease: 'retry-not-rearmed',
    name: 'the dialler gets no ticks after its give-up',
    run: (number) =>
      withVictim(
        number,
        async (run, victim) => {
          const seed = run.mesh.addressOf(nobody)
          const hasAnother = run.chance(0.4)
          await run.start(victim, {
            seeds: [seed, ...(hasAnother ? [run.mesh.addressOf(run.seed)] : [])],
            plant: (parts) => {
              refuseDials(parts, seed)
              const hasGivenUp = () => parts.node.seeds.seeds().some(({ state }) => state === 'given-up')
              stopDialling(parts, 'after', (event) => event.type === 'seed.failed' && hasGivenUp())
            },
          })
          run.pass(hasAnother ? 500 : 250)
        },
        [20, 60],
      ),
  },
  {
    disease: 'retry-not-rearmed',
    name: 'the loss of the seed begins no campaign',
    run: async (number) => {
      const run = new SimRun(number, { nodes: 1 })
      const [victim = ''] = run.others
      await run.startSeed()
      const when = run.pick(['before', 'after'] as const)
      await run.start(victim, {
        plant: (parts) => stopDialling(parts, when, ({ type }) => type === 'disconnected'),
      })
      run.pass(60, 120)
      run.mesh.kill(run.seed)
      // Until the member expires, the node dials it as a member.
      run.pass(75, 110)
      await run.startSeed()
      run.pass(150, 300)
      return { spans: await run.finish(), truth: { node: victim, part: seedPart } }
    },
  },
  {
    disease: 'retry-storm',
    name: 'the seed of all dies for good',
    run: async (number) => {
      const run = new SimRun(number, { nodes: 4 + (number % 2) })
      await run.startAll()
      run.pass(40, 120)
      run.mesh.kill(run.seed)
      run.pass(180, 250)
      return { spans: await run.finish(), truth: { node: '', part: seedPart } }
    },
  },
  {
    disease: 'retry-storm',
    name: 'a deployment names a seed that does not exist',
    run: async (number) => {
      const run = new SimRun(number, { nodes: 5 })
      const missing = run.chance(0.5) ? run.mesh.addressOf(nobody) : '/dns4/gone.example/udp/4001/quic-v1'
      await run.startAll([], { seeds: [missing] })
      run.pass(170, 300)
      return { spans: await run.finish(), truth: { node: '', part: seedPart } }
    },
  },
  {
    disease: 'retry-storm',
    name: 'the clock of a dialler runs too fast',
    run: (number) =>
      withVictim(
        number,
        async (run, victim) => {
          const seed = run.mesh.addressOf(nobody)
          const hasAnother = run.chance(0.4)
          await run.start(victim, {
            seeds: [seed, ...(hasAnother ? [run.mesh.addressOf(run.seed)] : [])],
            plant: (parts) => {
              refuseDials(parts, seed)
              hurryDialler(parts, run.between(5, 40))
            },
          })
        },
        [60, 110],
      ),
  },
  {
    disease: 'seed-unreachable',
    name: 'nobody listens at a seed address of one node',
    run: (number) =>
      withVictim(
        number,
        async (run, victim) => {
          const missing = run.pick([run.mesh.addressOf(nobody), '/dns4/gone.example/udp/4001/quic-v1'])
          const hasAnother = run.chance(0.4)
          await run.start(victim, { seeds: [missing, ...(hasAnother ? [run.mesh.addressOf(run.seed)] : [])] })
        },
        [200, 260],
      ),
  },
  {
    disease: 'seed-unreachable',
    name: 'no packet passes between one node and its seed',
    run: (number) =>
      withVictim(
        number,
        async (run, victim) => {
          run.mesh.world.partition([victim], [run.seed])
          await run.start(victim)
        },
        [170, 240],
      ),
  },
  {
    disease: 'one-way-gossip',
    name: 'a node opens no gossip streams',
    run: async (number) => {
      const run = new SimRun(number, { nodes: 3 + (number % 2) })
      const victim = run.pick(run.others)
      await run.startSeed({ plant: noticeMissingInbound })
      for (const name of run.others) {
        run.pass(0, 2)
        await run.start(name, {
          plant: (parts) => {
            noticeMissingInbound(parts)
            if (name === victim) closeGossipOut(parts)
          },
        })
      }
      run.pass(90, 150)
      return { spans: await run.finish(), truth: { node: victim, part: /gossip/ } }
    },
  },
]
