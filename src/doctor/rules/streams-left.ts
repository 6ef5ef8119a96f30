import type { Instance } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { growsSteadily, growthOf, partOf, riseBeganMs } from '../growth.ts'
import type { Rule } from '../rule.ts'

const list = 'mesh.audit.protocols '
/** Above what a handful of peers that join opens at once. */
const leastRise = 16

/** Open streams of one protocol and direction that grow over the whole evidence. */
export const streamsLeft: Rule = {
  name: 'streams-left',
  find: ({ instances }) => instances.flatMap(findingsOf),
}

function findingsOf(instance: Instance): Finding[] {
  return instance.seriesOf(list).flatMap(([key, series]): Finding[] => {
    const [protocol = '', direction = ''] = key.slice(list.length).split(' ')
    if ((direction !== 'in' && direction !== 'out') || !growsSteadily(series, leastRise)) return []
    return [
      {
        disease: 'streams-left',
        owner: partOf(instance, `streams ${protocol} ${direction}`),
        certainty: 'likely',
        sinceMs: riseBeganMs(series),
        summary: `open ${direction === 'in' ? 'inbound' : 'outbound'} streams of ${protocol} rose from ${series.first.value} to ${series.last.value}`,
        growth: growthOf(series, 'streams', instance.churnEvents),
        proof: instance.censuses,
      },
    ]
  })
}
