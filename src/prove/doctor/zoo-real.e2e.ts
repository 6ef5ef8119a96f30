import { ResultsFile } from '../../zoo/real/results-file.ts'
import { runReal } from '../../zoo/real/run-real.ts'
import { mostEvents, realTable } from '../../zoo/real/table.ts'
import { scenes } from '../../zoo/scenes.ts'
import { endToEnd } from '../end-to-end.ts'
import { each } from '../proof.ts'

/** Meshes at once, on two cores without a node that starves. */
const atOnce = 3
const mostMs = 180_000

export const proof = endToEnd({
  name: 'zoo-real',
  about: `every disease of the zoo in real QUIC processes, three minutes each: the right first answer within ${mostEvents} joins; an interrupted proof goes on`,
  quick: false,
  seconds: 4_200,
  async run({ progress, signal }) {
    const file = new ResultsFile()
    const io = { out: progress, err: (text: string) => progress(text.trimEnd()) }
    await runReal(scenes, { atOnce, again: false, io, signal, file })
    signal.throwIfAborted()
    const results = await file.read()
    const isOutside = (name: string) => scenes.some((scene) => scene.name === name && scene.truth?.isOutside === true)
    const outside = results.filter(({ name }) => isOutside(name))
    const known = results.filter(({ name }) => !isOutside(name))
    const ill = known.filter(({ disease }) => disease !== null)
    const clean = known.filter(({ disease }) => disease === null)
    return {
      figures: {
        results,
        table: realTable(
          results,
          scenes.map(({ name }) => name),
        ),
        file: file.path,
      },
      checks: [
        each('scenes with a result', 'all', scenes, ({ name }) => results.some((one) => one.name === name)),
        each('diseases: the first answer', 'right', ill, ({ outcome }) => outcome === 'right'),
        each(
          `joins until it is named`,
          `at most ${mostEvents}`,
          ill,
          ({ events }) => (events ?? Infinity) <= mostEvents,
        ),
        each('clean runs: the first answer', 'right', clean, ({ outcome }) => outcome === 'right'),
        each('leaks from outside the kit', 'no wrong name', outside, ({ outcome }) => !/wrong|not/.test(outcome)),
        each('length of a run', 'at most 180 s', results, ({ tookMs }) => tookMs <= mostMs),
      ],
    }
  },
})
