import { SimRun } from './sim-run.ts'
import type { Scenario } from './sim-scenario.ts'

/** Diseases of nodes and of the mesh, each planted in one of our layers. */
export const nodeScenarios: readonly Scenario[] = [
  {
    disease: 'duplicate-identity',
    name: 'a second process with the key of a node',
    run: async (number) => {
      const run = new SimRun(number, { nodes: 3 + (number % 2) })
      await run.startAll()
      run.pass(30, 120)
      const peer = run.pick(run.others)
      const copiesCount = run.chance(0.5) ? { incarnation: 1 } : {}
      await run.start('spare-0', { peer, isCopy: true, ...copiesCount })
      run.pass(120, 180)
      return { spans: await run.finish(), truth: { node: 'spare-0', part: /^identity / } }
    },
  },
  {
    disease: 'unreachable-address',
    name: 'a node announces an address at which nobody listens',
    run: async (number) => {
      // The others lack links, and the node itself does not.
      const run = new SimRun(number, { nodes: 3 + (number % 2), settings: { neighbours: 8 } })
      const victim = run.pick(run.others)
      await run.startAll([victim])
      run.pass(5, 40)
      await run.start(victim, { settings: { neighbours: 1 } })
      const addresses = [run.mesh.addressOf('spare-0')]
      run.mesh.node(victim).driver.deliver({ type: 'profile', topics: [], addresses })
      run.pass(320, 420)
      return { spans: await run.finish(), truth: { node: victim, part: /address/ } }
    },
  },
  {
    disease: 'join-storm',
    name: 'more nodes join a small seed at once than it takes',
    run: async (number) => {
      const run = new SimRun(number, { nodes: 11 + (number % 3), settings: { neighbours: 2 } })
      await run.startSeed({ settings: { connectionsHigh: run.between(3, 7) } })
      run.pass(10, 60)
      for (const name of run.others) {
        run.pass(0, 1.5)
        await run.start(name)
      }
      run.pass(30, 80)
      return { spans: await run.finish(), truth: { node: run.seed, part: /limit/ } }
    },
  },
  {
    disease: 'clock-skew',
    name: 'the clock of one node is wrong',
    run: async (number) => {
      const run = new SimRun(number, { nodes: 2 + (number % 4) })
      const victim = run.pick([run.seed, ...run.others])
      await run.startAll()
      if (run.chance(0.5)) run.pass(20, 80)
      run.mesh.world.skew(victim, 1_000 * run.between(8, 300) * (run.chance(0.5) ? 1 : -1))
      if (run.chance(0.3)) await run.churn(60, [victim])
      run.pass(150, 200)
      return { spans: await run.finish(), truth: { node: victim, part: /clock/ } }
    },
  },
  {
    disease: 'starved-judge',
    name: 'a node is stopped again and again',
    run: async (number) => {
      const run = new SimRun(number, { nodes: 3 + (number % 2) })
      const victim = run.pick(run.others)
      await run.startAll()
      run.pass(20, 60)
      for (let stall = run.between(5, 6); stall > 0; stall--) {
        const wake = run.mesh.world.freeze(victim)
        run.pass(9, 25)
        wake()
        run.pass(15, 50)
      }
      return { spans: await run.finish(), truth: { node: victim, part: /process/ } }
    },
  },
  {
    disease: 'alone',
    name: 'a node without seeds',
    run: async (number) => {
      const run = new SimRun(number, { nodes: 3 + (number % 2) })
      const victim = run.pick(run.others)
      await run.startAll([victim])
      await run.start(victim, { seeds: [] })
      if (run.chance(0.3)) await run.churn(60, [victim])
      run.pass(170, 220)
      return { spans: await run.finish(), truth: { node: victim, part: /links/ } }
    },
  },
  {
    disease: 'alone',
    name: 'a node of another mesh dials a seed of this one',
    run: async (number) => {
      const run = new SimRun(number, { nodes: 3 + (number % 2) })
      const victim = run.pick(run.others)
      await run.startAll([victim])
      await run.start(victim, { meshes: ['n'] })
      run.pass(170, 220)
      return { spans: await run.finish(), truth: { node: victim, part: /links/ } }
    },
  },
]
