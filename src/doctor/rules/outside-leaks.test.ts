import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cleanCounts, evidenceOf, mib, ProcessStory } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { diagnose } from '../diagnose.ts'
import type { DiseaseName } from '../diseases.ts'
import { resolutionsIn } from '../judgement/resolution.ts'
import type { Rule } from '../rule.ts'
import { rules } from './all.ts'

leakCheck()

// Mistakes of an application that embeds the kit, in things that the kit knows nothing of, as its censuses show them.
// Peers come and go in all of these meshes: one every four seconds.

type CountsAt = (seconds: number) => NonNullable<Parameters<ProcessStory['census']>[1]>

const minutes = 10
const joinS = 4
const joins = (s: number) => Math.floor(s / joinS)
const load = (s: number) => cleanCounts({ connections: 4, churn: joins(s) })

const shop = (countsAt: CountsAt) => new ProcessStory('shop').censuses(minutes, (s) => ({ ...load(s), ...countsAt(s) }))
const meshWith = (ill: ProcessStory, ...others: readonly ProcessStory[]) => [
  new ProcessStory('node-1').censuses(minutes, load),
  new ProcessStory('node-2').censuses(minutes, load),
  ...others,
  ill,
]

const collectionS = 45
/** Memory that stays, in MiB: floors show it at the last collection, and what is in use has garbage besides. */
function memory(heapAt: (seconds: number) => number, externalAt: (seconds: number) => number = () => 0): CountsAt {
  return (s) => {
    const collectedAt = collectionS * Math.floor(s / collectionS)
    const bytes = (mebibytes: number) => Math.round(mebibytes * mib)
    return {
      'mesh.memory.major_gcs_total': 1 + collectedAt / collectionS,
      'mesh.memory.major_gc_age_ms': 1_000 * (s - collectedAt),
      'mesh.memory.heap_floor': bytes(37 + heapAt(collectedAt)),
      'mesh.memory.external_floor': bytes(12 + externalAt(collectedAt)),
      'v8js.memory.heap.used': bytes(40 + heapAt(s) + (s - collectedAt) / 5),
      'mesh.memory.external': bytes(12 + externalAt(s)),
      'mesh.memory.array_buffers': bytes(2 + externalAt(s)),
      'process.memory.usage': bytes(136 + heapAt(s) + externalAt(s)),
    }
  }
}

const perJoin = (kibibytes: number) => (s: number) => (joins(s) * kibibytes) / 1_024

/** As if the rule of a disease did not exist. */
function without(all: readonly Rule[], disease: DiseaseName): Rule[] {
  return all.map((rule) => ({
    ...rule,
    find: (evidence) => rule.find(evidence).filter((finding) => finding.disease !== disease),
  }))
}

interface Leak {
  readonly situation: string
  readonly stories: () => readonly ProcessStory[]
  readonly disease: DiseaseName
  readonly part: string
}

const siteOf = (story: ProcessStory, name: string) =>
  story.span('mesh.heap.site', 550, {
    'mesh.heap.trigger': 'heap-floor',
    'mesh.heap.bytes': 9 * mib,
    'mesh.heap.share': 0.7,
    'code.function.name': name,
    'code.file.path': '/app/shop.js',
    'code.line.number': 31,
  })

const leaks: readonly Leak[] = [
  {
    situation: 'a Map keyed by peer that keeps the history of each',
    stories: () => meshWith(shop(memory(perJoin(100)))),
    disease: 'heap-growth',
    part: 'heap',
  },
  {
    situation: 'an array of all messages',
    stories: () => meshWith(shop(memory((s) => s / 30))),
    disease: 'heap-growth',
    part: 'heap',
  },
  {
    situation: 'a listener for each message on an emitter of its own, with a sampled heap',
    stories: () => meshWith(siteOf(shop(memory((s) => s / 25)), 'onOrder')),
    disease: 'heap-growth',
    part: 'heap of onOrder',
  },
  {
    situation: 'promises that never end, each with what it waits for',
    stories: () => meshWith(shop(memory((s) => Math.max(0, s - 200) / 15))),
    disease: 'heap-growth',
    part: 'heap',
  },
  {
    situation: 'a buffer outside the heap for each upload',
    stories: () =>
      meshWith(
        shop(
          memory(
            () => 0,
            (s) => s / 20,
          ),
        ),
      ),
    disease: 'external-growth',
    part: 'buffers',
  },
  {
    situation: 'a listener on an event of libp2p for each message',
    stories: () =>
      meshWith(
        shop((s) => ({
          'mesh.audit.listeners': 27 + Math.floor(s / 2),
          'mesh.audit.listeners_largest': 16 + Math.floor(s / 2),
          'mesh.audit.listeners_largest_event': 'libp2p peer:update',
        })),
      ),
    disease: 'listeners-left',
    part: 'listeners on libp2p: libp2p peer:update',
  },
  {
    situation: 'an interval for each peer that nobody clears',
    stories: () => meshWith(shop((s) => ({ 'mesh.audit.timers': 12 + 2 * joins(s) }))),
    disease: 'timers-left',
    part: 'timers',
  },
  {
    situation: 'a file for each request that nobody closes',
    stories: () => meshWith(shop((s) => ({ 'mesh.audit.descriptors_file': Math.floor(s / 10) }))),
    disease: 'descriptors-left',
    part: 'descriptors of files',
  },
  {
    situation: 'requests to another service that never end, each with its socket',
    stories: () =>
      meshWith(
        shop((s) => ({
          ...memory(perJoin(100))(s),
          'mesh.audit.sockets_tcp': 2 + joins(s),
          'mesh.audit.sockets': 11 + joins(s),
          'process.unix.file_descriptor.count': 34 + joins(s),
        })),
      ),
    disease: 'sockets-left',
    part: 'tcp sockets',
  },
  {
    situation: 'a stream of a protocol of its own for each message, which nobody closes',
    stories: () => {
      const open = (s: number) => Math.floor(s / 3)
      const lines = (s: number, line: string) => ({
        'mesh.audit.protocols': ['/meshsub/1.2.0 4 4 0 60', '/tracemesh/link/1.0.0 4 1 0 60', line],
        'mesh.audit.streams': 12 + open(s),
        'mesh.audit.listeners_connections': 112 + 9 * open(s),
      })
      return meshWith(
        shop((s) => ({ ...memory((at) => at / 40)(s), ...lines(s, `/notes/1.0.0 0 ${open(s)} 0 ${s}`) })),
        new ProcessStory('desk').censuses(minutes, (s) => ({
          ...load(s),
          ...lines(s, `/notes/1.0.0 ${open(s)} 0 0 ${s}`),
        })),
      )
    },
    disease: 'streams-left',
    part: 'streams /notes/1.0.0 out',
  },
  {
    situation: 'a worker thread for each request, each with an event queue and a heap of its own',
    stories: () =>
      meshWith(
        shop((s) => ({
          'process.memory.usage': Math.round((136 + 6 * Math.floor(s / 20)) * mib),
          'mesh.audit.descriptors_other': 14 + 3 * Math.floor(s / 20),
          'mesh.audit.descriptors_pipe': 9 + 2 * Math.floor(s / 20),
        })),
      ),
    disease: 'descriptors-left',
    part: 'descriptors of ',
  },
  {
    situation: 'memory of a native add-on',
    stories: () => meshWith(shop((s) => ({ 'process.memory.usage': Math.round((136 + s / 4) * mib) }))),
    disease: 'native-growth',
    part: 'native memory',
  },
]

for (const { situation, stories, disease, part } of leaks) {
  const evidence = evidenceOf(stories())
  test(`an application with ${situation}: ${disease}, of the application`, () => {
    const { findings, verdict } = diagnose(evidence, rules)
    const [first] = findings
    assert.deepEqual([verdict, first?.disease, first?.certainty], ['ill', disease, 'likely'])
    assert.ok(first?.owner.part.startsWith(part), first?.owner.part)
    assert.deepEqual([...new Set(findings.map(({ owner }) => owner.node))], ['shop'])
  })

  test(`an application with ${situation}, and no rule for ${disease}: growth of unknown cause, of the application`, () => {
    const { findings } = diagnose(evidence, without(rules, disease))
    assert.deepEqual(
      findings.map(({ disease, owner }) => [disease, owner.node]),
      [['growth-unknown', 'shop']],
    )
  })
}

test('an application with a Map of names by peer: nothing, and how much would have been seen', () => {
  const kibibytes = 1
  const evidence = evidenceOf(meshWith(shop(memory(perJoin(kibibytes)))))
  assert.equal(diagnose(evidence, rules).verdict, 'healthy')
  const { perEvent } = resolutionsIn(evidence).heap ?? {}
  assert.ok((perEvent ?? 0) > 1_024 * kibibytes && (perEvent ?? 0) < 100 * 1_024, `${perEvent} bytes per connection`)
})
