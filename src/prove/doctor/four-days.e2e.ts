import { runFourDays, withinMs } from '../../zoo/four-days/four-days.ts'
import { findingText } from '../../zoo/four-days/report.ts'
import { endToEnd } from '../end-to-end.ts'
import { atMost, each } from '../proof.ts'

export const proof = endToEnd({
  name: 'four-days',
  about:
    'a lab with the five leaks of a soak of four days: the doctor names all five and their owners within five minutes',
  quick: false,
  seconds: 240,
  async run({ progress, signal }) {
    await using lab = await runFourDays({ page: '127.0.0.1:0', log: progress, signal })
    const { leaks, others, tookMs } = lab
    const rows = leaks.map(({ leak, finding, afterMs }) => ({
      planted: leak.story,
      in: leak.nodes.join(' and '),
      said: finding === undefined ? 'nothing' : findingText(finding),
      seconds: afterMs === undefined ? null : Math.round(afterMs / 1_000),
    }))
    // A busy machine starves nodes, and they say so.
    const wrong = others.filter(({ disease }) => disease !== 'starved-judge').map(findingText)
    return {
      figures: { leaks: rows, others: others.map(findingText) },
      checks: [
        each('leaks named with their owner', 'all five', rows, ({ said }) => said !== 'nothing'),
        atMost('findings of anything else', 0, wrong.length),
        atMost('from the start of the lab', withinMs / 1_000, tookMs / 1_000, 's'),
      ],
    }
  },
})
