import { SimRun } from './sim-run.ts'
import type { Scenario } from './sim-scenario.ts'

/** Runs in which nothing is ill, though much happens. */
const clean: Readonly<Record<string, (run: SimRun) => Promise<void>>> = {
  'all nodes have one list, in which some find themselves': async (run) => {
    const seeds = [run.seed, ...run.others.slice(0, 1)].map((name) => run.mesh.addressOf(name))
    await run.startSeed({ seeds })
    for (const name of run.others) await run.start(name, { seeds })
    run.pass(150, 300)
  },
  'the seed starts late': async (run) => {
    for (const name of run.others) await run.start(name)
    run.pass(3, 170)
    await run.startSeed()
    run.pass(60, 180)
  },
  'the nodes start long after the seed': async (run) => {
    await run.startSeed()
    run.pass(60, 400)
    for (const name of run.others) await run.start(name)
    run.pass(20, 120)
  },
  'nodes leave, die and come back': async (run) => {
    await run.startAll()
    await run.churn(run.between(100, 180), [])
    run.pass(20, 90)
  },
  'nodes die and come back, seeds too, some with a new identity': async (run) => {
    await run.startAll()
    run.pass(20, 60)
    for (let round = run.between(2, 4); round > 0; round--) {
      const name = run.pick([run.seed, ...run.others])
      run.mesh.kill(name)
      run.pass(1, 40)
      const peer = run.chance(0.3) ? `${name}-${round}` : name
      if (name === run.seed) await run.startSeed({ peer })
      else await run.start(name, { peer })
      run.pass(40, 70)
    }
  },
  'a rolling restart': async (run) => {
    await run.startAll()
    run.pass(30, 60)
    for (const name of [...run.others, run.seed]) {
      await run.stop(name)
      run.pass(1, 8)
      if (name === run.seed) await run.startSeed()
      else await run.start(name)
      run.pass(5, 30)
    }
    run.pass(40, 90)
  },
  'a partition heals': async (run) => {
    await run.startAll()
    run.pass(30, 60)
    const left = run.others.slice(0, run.between(1, run.others.length))
    const heal = run.mesh.world.partition(left, [run.seed, ...run.others.filter((name) => !left.includes(name))])
    run.pass(5, 100)
    heal()
    run.pass(90, 180)
  },
  'nodes sleep once': async (run) => {
    await run.startAll()
    run.pass(30, 60)
    const names = run.others.slice(0, run.between(1, 2))
    const wakes = names.map((name) => run.mesh.world.freeze(name))
    run.pass(8, 90)
    for (const wake of wakes) wake()
    run.pass(90, 180)
  },
  'many nodes join at once': async (run) => {
    const late = run.others.slice(1)
    await run.startAll(late)
    run.pass(30, 90)
    for (const name of late) await run.start(name)
    run.pass(60, 120)
  },
  'a slow network': async (run) => {
    await run.startAll()
    run.pass(20, 40)
    const heal = run.mesh.world.delay(run.pick([run.seed, ...run.others]), run.between(100, 900))
    run.pass(60, 150)
    heal()
    run.pass(30, 60)
  },
  'most nodes leave for good': async (run) => {
    await run.startAll()
    run.pass(40, 90)
    for (const name of run.others.slice(1)) {
      await run.stop(name)
      run.pass(0, 20)
    }
    run.pass(60, 200)
  },
}

const sizes: Readonly<Record<string, number>> = { 'many nodes join at once': 8, 'a slow network': 3 }

export const cleanScenarios: readonly Scenario[] = Object.entries(clean).map(([name, play]) => ({
  disease: 'clean',
  name,
  run: async (number) => {
    const run = new SimRun(number, { nodes: sizes[name] ?? 2 + (number % 4) })
    await play(run)
    return { spans: await run.finish() }
  },
}))
