import { type Budget, roleTable } from '../roles.ts'
import { byNode, type Durations, indent, spanIncrease } from './promql.ts'
import { type AlertDeclaration, counter, eventCases, firesForMesh, gauge, up } from './spec.ts'

/** Mean over a window for a label selector, and the budget of the metric. */
const metrics = {
  memory: {
    mean: (labels: string, window: string) =>
      `avg_over_time(mesh_process_resident_memory_bytes${labels}[${window}]) / 1048576`,
    of: ({ rssMb }: Budget) => rssMb,
  },
  cpu: {
    // The second arm is for nodes of the previous version.
    mean: (labels: string, window: string) =>
      `1000 * (rate(mesh_process_cpu_seconds_total${labels}[${window}]) or avg_over_time(mesh_process_cpu_ratio${labels}[${window}]))`,
    of: ({ cpuMsPerS }: Budget) => cpuMsPerS,
  },
} as const

/** One arm per budget value, for all roles with that value. */
function overBudget(d: Durations): string {
  const arms = Object.entries(metrics).flatMap(([what, { mean: meanOf, of }]) => {
    const roles = Object.groupBy(Object.entries(roleTable), ([, { budget }]) => String(of(budget)))
    return Object.entries(roles).map(([most, those = []]) => {
      const labels = `{mesh_node_role=~"${those.map(([role]) => role).join('|')}"}`
      const mean = `max by (${byNode}, mesh_node_role) (${meanOf(labels, d('5m'))})`
      return `label_replace(${mean} > ${most}, "mesh_budget", "${what}", "", "")`
    })
  })
  return arms.join('\nor ')
}

function firesForBudget(role: string, what: keyof typeof metrics, value: number) {
  return [{ labels: { mesh_id: 'a', mesh_node_name: 'n1', mesh_node_role: role, mesh_budget: what }, value }]
}

/** Values in promtool's notation, from MiB to bytes. */
const mebibytes = (values: string) => values.replaceAll(/(\d+)x/g, (_, mib) => `${mib * 1_048_576}x`)

const ofRole = (metric: string, role: string) => gauge(metric, `,mesh_node_role="${role}"`)

/** Alerts about single processes and their machines. */
export const nodeAlerts = {
  MeshNodeStalled: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} did not run for a while',
    severity: 'warning',
    basis: 'events',
    expr: (d) => `${spanIncrease('mesh.node.stalled', d('10m'), d)} > 0`,
    meaning:
      'A node was suspended or starved of CPU for at least a quarter of its staleness window (7.5 s of 30 s), and expires no members for one window.',
    cure: 'mesh.stall.slept_ms is the duration. Several nodes of one machine at once: the machine was suspended or is overloaded. A single node: CPU throttling by its limit, or its own code, if nodejs.eventloop.delay.max in its census is high.',
    search: { span: 'mesh.node.stalled' },
    emitDelay: '1s',
    cases: eventCases('mesh.node.stalled', 'one stall, and its end', '13m', 120),
  },
  MeshResourcesExhausted: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} has run out of descriptors or memory',
    severity: 'critical',
    basis: 'events',
    expr: (d) => `${spanIncrease('mesh.resource.exhausted', d('5m'), d)} > 0`,
    keepFiring: '5m',
    meaning:
      'The process could not open another file or socket: it refuses new connections and does not dial. Existing links continue. If it has no connection to export its spans, the alert fires only after it recovers.',
    cure: 'error.type names the exhausted resource. EMFILE: compare `ulimit -n` of the process with `ls /proc/<pid>/fd`, and raise the limit, or close the files and connections that an application or a flood of peers keeps open. ENFILE: the whole machine is out of descriptors. ENOBUFS, ENOMEM: memory of the machine, or socket memory of the kernel. mesh.resource.recovered has the duration; the node needs no restart.',
    search: { span: 'mesh.resource.exhausted' },
    emitDelay: '6s',
    cases: eventCases('mesh.resource.exhausted', 'one exhaustion, and its end', '13m', 120),
  },
  MeshClockSkewed: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} sees a skewed clock',
    severity: 'warning',
    basis: 'events',
    expr: (d) => `${spanIncrease('mesh.clock.skewed', d('30m'), d)} > 0`,
    meaning:
      'The clock of a peer differs from this node’s by more than 5 s. The node reports a peer once until its clock is correct again, so the alert ends after half an hour in any case. It reports a clock that is ahead at the next digest, one that is behind after three (at most 90 s), since a delayed digest looks the same. Membership does not depend on clocks; the order of spans in traces does.',
    cure: 'mesh.peer.name is the peer, mesh.clock.skew_ms the skew. A node that reports all others has the wrong clock itself. Repair its time service; no restart is needed.',
    search: { span: 'mesh.clock.skewed' },
    emitDelay: '4s',
    cases: eventCases('mesh.clock.skewed', 'one skewed peer, and its end', '33m', 240),
  },
  MeshRoleOverBudget: {
    summary:
      '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} is over the {{ $labels.mesh_budget }} budget of a {{ $labels.mesh_node_role }} ({{ printf "%.0f" $value }})',
    severity: 'warning',
    basis: 'numbers',
    expr: overBudget,
    forTime: '10m',
    meaning: `Resident memory (MiB) or CPU (milliseconds per second), as a mean over five minutes, exceeded the budget of the node’s role for ten minutes: ${budgetsInWords()}.`,
    cure: 'Memory: compare mesh.audit.* now and an hour ago; the growth is in a registry, in libp2p (connections, streams, peer store) or else in the application. CPU: mesh.audit.frames_in shows whether the load increased. If the role has more work, raise budget and container limit together.',
    search: { span: 'mesh.audit' },
    emitDelay: '31s',
    windowDelays: (d) => [d('5m')],
    cases: {
      'memory of a compute node, from the sixth minute on': {
        series: { [ofRole('mesh_process_resident_memory_bytes', 'compute')]: mebibytes('90x30 340x120') },
        checks: { '15m': [], '17m': firesForBudget('compute', 'memory', 340) },
      },
      'CPU of a seed; a second seed that restarts does not fire': {
        series: {
          [ofRole('mesh_process_cpu_seconds_total', 'seed')]: '0+3x120',
          [gauge('mesh_process_cpu_seconds_total', ',mesh_node_role="seed"', 'n2')]: '900+1x20 0+1x120',
        },
        checks: { '13m': [], '16m': firesForBudget('seed', 'cpu', 300) },
      },
      'CPU of a seed of the previous version': {
        series: { [ofRole('mesh_process_cpu_ratio', 'seed')]: '0.3+0x120' },
        checks: { '9m': [], '11m': firesForBudget('seed', 'cpu', 300) },
      },
      'memory within the budget of a bridge, and a short peak of a compute node': {
        series: {
          [ofRole('mesh_process_resident_memory_bytes', 'bridge')]: mebibytes('140x120'),
          [ofRole('mesh_process_resident_memory_bytes', 'compute')]: mebibytes('90x30 340x12 90x90'),
        },
        checks: { '11m': [], '17m': [] },
      },
    },
  },
  MeshIdentityConflict: {
    summary: '{{ printf "%.0f" $value }} nodes of {{ $labels.mesh_id }} detect two processes with one identity',
    severity: 'critical',
    basis: 'events',
    per: 'mesh',
    expr: (d) => `count by (mesh_id) (
${indent(spanIncrease('mesh.identity.conflict', d('5m'), d))} > 0
)`,
    keepFiring: '5m',
    meaning:
      'Nodes detected two processes that run with the same peer id at the same time: a key file was copied with a machine or an image, or a service was started twice. Each neighbour keeps the link to the first process and refuses the other, so messages and requests reach either of them. Nodes report it once a minute while both run; a restart does not fire.',
    cure: 'mesh.identity.addresses of the span locates the two. Stop one of them, remove its copy of the key file (MESH_IDENTITY), and start it again: it creates a new identity.',
    search: { span: 'mesh.identity.conflict' },
    emitDelay: '1s',
    cases: {
      'two neighbours report it once a minute for ten minutes, and its end': {
        series: {
          [counter('mesh.identity.conflict')]: '_x6 1 1+0x4 2+0x5 3+0x5 4+0x5 5+0x5 6+0x5 7+0x5 8+0x120',
          [counter('mesh.identity.conflict', 'n2')]: '_x6 1+0x160',
          [up]: '1+0x170',
        },
        checks: { '50s': [], '1m30s': firesForMesh(2), '10m': firesForMesh(1), '20m': [] },
      },
      'an old one, present since the first scrape of Prometheus': {
        series: { [counter('mesh.identity.conflict')]: '1+0x120', [up]: '1+0x120' },
        checks: { '13m': [] },
      },
    },
  },
} as const satisfies Record<string, AlertDeclaration>

function budgetsInWords(): string {
  return Object.entries(roleTable)
    .map(([role, { budget }]) => `${role} ${budget.rssMb} and ${budget.cpuMsPerS}`)
    .join(', ')
}
