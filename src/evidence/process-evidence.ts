import type { CensusPart } from './census.ts'
import type { DescriptorCounts, DescriptorReader } from './descriptors.ts'
import { countListeners, type ListenerTarget } from './listeners.ts'
import type { MemoryReader } from './memory.ts'
import type { TimerReader } from './timers.ts'
import type { VitalsReader } from './vitals.ts'

export interface ProcessReaders {
  readonly vitals: VitalsReader
  readonly memory: MemoryReader
  readonly descriptors: DescriptorReader
  /** Absent in an application: it looks up Node’s table with a session of the inspector. */
  readonly timers: TimerReader | undefined
}

/** What the process uses and holds, as attributes of the census. */
export function processEvidence({ vitals, memory, descriptors, timers }: ProcessReaders, now: number): CensusPart {
  const usage = vitals.read()
  const open = descriptors.read()
  const unreferenced = timers?.count().unreferenced
  return {
    attributes: {
      'process.pid': process.pid,
      'process.memory.usage': usage.memoryBytes,
      'process.cpu.time': usage.cpuSeconds,
      'nodejs.eventloop.delay.p99': usage.loopDelayP99,
      'nodejs.eventloop.delay.max': usage.loopDelayMax,
      'v8js.memory.heap.used': usage.heapBytes,
      ...memoryAttributes(memory, now),
      'mesh.audit.sockets': usage.sockets,
      ...(open && descriptorAttributes(open)),
      'mesh.audit.timers': usage.timers,
      ...(unreferenced !== undefined && { 'mesh.audit.timers_unref': unreferenced }),
    },
  }
}

function memoryAttributes(memory: MemoryReader, now: number): CensusPart['attributes'] {
  const { external, arrayBuffers, majorGcs, floor } = memory.read()
  return {
    'mesh.memory.external': external,
    'mesh.memory.array_buffers': arrayBuffers,
    'mesh.memory.major_gcs_total': majorGcs,
    ...(floor && {
      'mesh.memory.heap_floor': floor.heap,
      'mesh.memory.external_floor': floor.external,
      'mesh.memory.major_gc_age_ms': Math.round(now - floor.at),
    }),
  }
}

/** The system’s own numbers: they take the place of the number of sockets that Node lists. */
function descriptorAttributes({ total, byKind }: DescriptorCounts): CensusPart['attributes'] {
  const { udp, tcp, unix, socket, file, pipe, device, other } = byKind
  return {
    'process.unix.file_descriptor.count': total,
    'mesh.audit.sockets': udp + tcp + unix + socket,
    'mesh.audit.sockets_udp': udp,
    'mesh.audit.sockets_tcp': tcp,
    'mesh.audit.sockets_unix': unix,
    'mesh.audit.descriptors_file': file,
    'mesh.audit.descriptors_pipe': pipe,
    'mesh.audit.descriptors_other': device + other,
  }
}

/** Event targets of a node, by how long they live. */
export interface ListenerTargets {
  /** As long as libp2p: their listeners should not become more. */
  readonly lasting: readonly ListenerTarget[]
  /** As long as a connection. */
  readonly connections: readonly ListenerTarget[]
  /** Signals that abort when an owner closes, or libp2p stops. */
  readonly signals: readonly ListenerTarget[]
}

/** Listeners on targets that outlive a call. */
export function listenerEvidence({ lasting, connections, signals }: ListenerTargets): CensusPart {
  const counts = [lasting, connections, signals].map(countListeners)
  const largest = counts.flatMap(({ largest }) => largest ?? []).sort((a, b) => b.count - a.count)[0]
  return {
    attributes: {
      'mesh.audit.listeners': counts[0]?.total ?? 0,
      'mesh.audit.listeners_connections': counts[1]?.total ?? 0,
      'mesh.audit.listeners_signals': counts[2]?.total ?? 0,
      ...(largest && {
        'mesh.audit.listeners_largest': largest.count,
        'mesh.audit.listeners_largest_event': largest.event,
      }),
    },
  }
}
