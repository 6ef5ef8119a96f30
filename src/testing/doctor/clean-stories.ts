import { seededRandom } from '../random.ts'
import { cleanCounts, mib, ProcessStory } from './process-story.ts'

/** Situations without a fault, in each of which something rises: no rule may find anything. */
export const cleanStories: Readonly<Record<string, () => readonly ProcessStory[]>> = {
  'an idle mesh': () => [1, 2, 3].map((node) => new ProcessStory(`node-${node}`).censuses(15)),
  'a mesh that others join in two steps': () => [
    new ProcessStory('node-1').censuses(15, (s) => cleanCounts({ connections: s < 200 ? 4 : s < 500 ? 20 : 60 })),
  ],
  'a mesh that others join all the time': () => [
    new ProcessStory('node-1').censuses(10, (s) => cleanCounts({ connections: 4 + Math.round(s / 6) })),
  ],
  'a mesh that scales out, with all that its peers take': () => [
    new ProcessStory('node-1').censuses(20, (s) => {
      const connections = 4 + Math.round(s / 6)
      return {
        ...cleanCounts({ connections }),
        'mesh.memory.heap_floor': 37 * mib + connections * 41_000,
        'process.memory.usage': 136 * mib + connections * 240_000,
        'mesh.audit.applications': [`offers ${5 * connections}`],
      }
    }),
  ],
  'messages that come faster and faster': () => [
    new ProcessStory('node-1').censuses(20, (s) => ({
      'mesh.memory.heap_floor': 37 * mib + 10_000 * s,
      'mesh.audit.gossip.seen': 1_000 + 10 * s,
      'mesh.audit.frames_in': s * s,
    })),
  ],
  'a cache that fills ever more slowly': () => [
    new ProcessStory('node-1').censuses(15, (s) => ({
      'mesh.memory.heap_floor': Math.round((37 + 50 * (1 - Math.exp(-s / 360))) * mib),
    })),
  ],
  'a mesh that is set to sweep every two minutes': () => [
    new ProcessStory('node-1').censuses(20, (s) => ({ 'mesh.audit.sweeps': Math.floor(s / 120) })),
  ],
  'a mesh that the others leave, one after the other': () => [
    new ProcessStory('node-1').censuses(10, (s) => cleanCounts({ connections: 64 - Math.round(s / 10) })),
  ],
  'churn that goes up and down': () => [
    new ProcessStory('node-1').censuses(20, (s) =>
      cleanCounts({ connections: 12 + Math.round(8 * Math.sin(s / 70)), churn: Math.round(s / 3) }),
    ),
  ],
  'the warm-up of a process': () => [
    new ProcessStory('node-1').censuses(10, (s) => ({
      'mesh.memory.heap_floor': Math.round((36 + 9 * (1 - Math.exp(-s / 60))) * mib),
      'process.memory.usage': Math.round((130 + 30 * (1 - Math.exp(-s / 120))) * mib),
    })),
  ],
  'the sawtooth of a collector, and floors that spread': () => {
    const random = seededRandom(7)
    return [
      new ProcessStory('node-1').censuses(60, (s) => ({
        'v8js.memory.heap.used': (40 + ((s / 8) % 20)) * mib,
        'mesh.memory.heap_floor': Math.round((38 + 5 * random()) * mib),
        'mesh.memory.external_floor': Math.round((12 + (random() < 0.1 ? 4 : 0.3 * random())) * mib),
      })),
    ]
  },
  'a rolling restart': () =>
    [1, 2, 3, 4].flatMap((node) =>
      [0, 1].map((life) =>
        new ProcessStory(`node-${node}`, { instance: `${node} ${life}`, beginS: 400 * life })
          .censuses(5, (s) => cleanCounts({ connections: 3 + Math.round(s / 100) }))
          .stop(320),
      ),
    ),
  'sockets of closed connections that wait for a collection': () => [
    new ProcessStory('node-1').censuses(12, (s) => ({
      ...cleanCounts({ connections: 5, churn: Math.round(s / 2) }),
      'mesh.memory.major_gcs_total': 1 + Math.floor(s / 240),
      'mesh.audit.sockets_udp': 3 + Math.round((s % 240) / 2),
    })),
  ],
  'a receiver that was away for two minutes': () => [
    new ProcessStory('node-1').censuses(8, (s) => ({
      'mesh.telemetry.queued': s > 120 && s < 260 ? 20 * (s - 120) : 8,
    })),
  ],
  'members that leave, retained for two minutes': () => {
    const story = new ProcessStory('node-1')
    return [
      story.censuses(
        10,
        (s) => cleanCounts({ churn: Math.round(s / 4) }),
        (s) => {
          const added = 4 + Math.round(s / 4)
          const released = Math.max(0, Math.round((s - 150) / 4))
          story.registry('members', s, 'node-1', { size: added - released, added, released, removed: released })
        },
      ),
    ]
  },
}
