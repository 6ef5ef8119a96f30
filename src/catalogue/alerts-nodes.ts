import { counter, firesFor, firesForMesh, gauge, up } from './alert-case.ts'
import type { Durations } from './alert-durations.ts'
import { byNode, indent, spanIncrease } from './alert-promql.ts'
import type { AlertSpec } from './alert-spec.ts'
import { type Budget, budgets } from './budgets.ts'

/** The mean of a window by a selector of labels, and what a budget allows. */
const metrics = {
  memory: {
    mean: (labels: string, window: string) => `avg_over_time(mesh_process_rss_mb${labels}[${window}])`,
    of: ({ rssMb }: Budget) => rssMb,
  },
  cpu: {
    // The second arm is of nodes of the version before.
    mean: (labels: string, window: string) =>
      `1000 * rate(mesh_process_cpu_seconds${labels}[${window}]) or avg_over_time(mesh_process_cpu_ms_per_s${labels}[${window}])`,
    of: ({ cpuMsPerS }: Budget) => cpuMsPerS,
  },
} as const

/** One arm for each budget and all roles that have it. */
function overBudget(d: Durations): string {
  const arms = Object.entries(metrics).flatMap(([what, { mean: meanOf, of }]) => {
    const roles = Object.groupBy(Object.entries(budgets), ([, budget]) => String(of(budget)))
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

const ofRole = (metric: string, role: string) => gauge(metric, `,mesh_node_role="${role}"`)

/** Alerts about single processes and their machines. */
export const nodeAlerts = {
  MeshNodeStalled: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} did not run for a while',
    severity: 'warn',
    per: 'node',
    about: 'mesh',
    expr: (d) => `${spanIncrease('mesh.node.stalled', d('10m'), d)} > 0`,
    meaning:
      'A node slept, or was not given the CPU, for at least a quarter of its staleness window (7.5 s of 30 s), and expires nobody for one window.',
    cure: 'mesh.stall.slept_ms says how long. Several nodes of one machine at once: the machine was suspended or is overloaded. One: its CPU limit (throttling), or nodejs.eventloop.delay.max in its census, which is its own code.',
    search: { span: 'mesh.node.stalled' },
    emitDelay: '1s',
    cases: [
      {
        title: 'one sleep, and its end',
        series: { [counter('mesh.node.stalled')]: '_x6 1+0x120', [up]: '1+0x127' },
        checks: [
          { at: '50s', fires: [] },
          { at: '1m30s', fires: firesFor('n1') },
          { at: '13m', fires: [] },
        ],
      },
      {
        title: 'one long ago',
        series: { [counter('mesh.node.stalled')]: '1+0x120', [up]: '1+0x120' },
        checks: [{ at: '13m', fires: [] }],
      },
    ],
  },
  MeshResourcesExhausted: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} has run out of descriptors or memory',
    severity: 'page',
    per: 'node',
    about: 'mesh',
    expr: (d) => `${spanIncrease('mesh.resource.exhausted', d('5m'), d)} > 0`,
    keepFiring: '5m',
    meaning:
      'The process could not open another file or socket: it refused new connections and dialled nobody. Links that were there go on. Without a connection for its spans it rings as late as that is over.',
    cure: 'error.type says what ran out. EMFILE: compare `ulimit -n` of the process with `ls /proc/<pid>/fd`, and raise the limit, or close what an application or a flood of connections holds open. ENFILE: the whole machine is out of descriptors. ENOBUFS, ENOMEM: its memory, or the socket memory of the kernel. mesh.resource.recovered says how long it was; the node needs no restart.',
    search: { span: 'mesh.resource.exhausted' },
    emitDelay: '6s',
    cases: [
      {
        title: 'one exhaustion, and its end',
        series: { [counter('mesh.resource.exhausted')]: '_x6 1+0x120', [up]: '1+0x127' },
        checks: [
          { at: '50s', fires: [] },
          { at: '1m30s', fires: firesFor('n1') },
          { at: '13m', fires: [] },
        ],
      },
      {
        title: 'one long ago',
        series: { [counter('mesh.resource.exhausted')]: '1+0x120', [up]: '1+0x120' },
        checks: [{ at: '13m', fires: [] }],
      },
    ],
  },
  MeshClockSkewed: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} sees a clock that is off',
    severity: 'warn',
    per: 'node',
    about: 'mesh',
    expr: (d) => `${spanIncrease('mesh.clock.skewed', d('30m'), d)} > 0`,
    meaning:
      'The clock of a peer differs from this node’s by more than 5 s; told once per peer until it is right again, so the alert ends after half an hour whether it is or not. One that is ahead is told at the next digest, one that is behind after three (90 s at most), since a digest that is late looks the same. Membership does not depend on clocks, the order of spans in traces does.',
    cure: 'mesh.peer.name says whose, mesh.clock.skew_ms by how much. A node that names all others is the one that is off itself. Set its time service right; no restart is needed.',
    search: { span: 'mesh.clock.skewed' },
    emitDelay: '4s',
    cases: [
      {
        title: 'one peer, and its end',
        series: { [counter('mesh.clock.skewed')]: '_x6 1+0x240', [up]: '1+0x247' },
        checks: [
          { at: '50s', fires: [] },
          { at: '1m30s', fires: firesFor('n1') },
          { at: '33m', fires: [] },
        ],
      },
      {
        title: 'one long ago',
        series: { [counter('mesh.clock.skewed')]: '1+0x240', [up]: '1+0x240' },
        checks: [{ at: '33m', fires: [] }],
      },
    ],
  },
  MeshRoleOverBudget: {
    summary:
      '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} is over the {{ $labels.mesh_budget }} budget of a {{ $labels.mesh_node_role }} ({{ printf "%.0f" $value }})',
    severity: 'warn',
    per: 'node',
    about: 'mesh',
    expr: overBudget,
    forTime: '10m',
    meaning: `Resident memory (MiB) or CPU (milliseconds per second), as a mean of five minutes, was above the budget of the node’s role for ten minutes: ${budgetsInWords()}.`,
    cure: 'Memory: compare mesh.audit.* of now and of an hour ago; what grew is in a registry, in libp2p (connections, streams, peer store) or in neither, which is the application. CPU: mesh.audit.frames_in says whether there is more to do. Where the role has more to do, raise budget and container limit together.',
    search: { span: 'mesh.audit' },
    emitDelay: '31s',
    windowDelays: (d) => [d('5m')],
    cases: [
      {
        title: 'memory of a compute, from the sixth minute on',
        series: { [ofRole('mesh_process_rss_mb', 'compute')]: '90+0x30 340+0x120' },
        checks: [
          { at: '15m', fires: [] },
          { at: '17m', fires: firesForBudget('compute', 'memory', 340) },
        ],
      },
      {
        title: 'CPU of a seed, and of one that restarts, which is none',
        series: {
          [ofRole('mesh_process_cpu_seconds', 'seed')]: '0+3x120',
          [gauge('mesh_process_cpu_seconds', ',mesh_node_role="seed"', 'n2')]: '900+1x20 0+1x120',
        },
        checks: [
          { at: '13m', fires: [] },
          { at: '16m', fires: firesForBudget('seed', 'cpu', 300) },
        ],
      },
      {
        title: 'CPU of a seed of the version before',
        series: { [ofRole('mesh_process_cpu_ms_per_s', 'seed')]: '300+0x120' },
        checks: [
          { at: '9m', fires: [] },
          { at: '11m', fires: firesForBudget('seed', 'cpu', 300) },
        ],
      },
      {
        title: 'what is too much for a compute is not for a bridge, and a short peak is no use for long',
        series: {
          [ofRole('mesh_process_rss_mb', 'bridge')]: '140+0x120',
          [ofRole('mesh_process_rss_mb', 'compute')]: '90+0x30 340+0x12 90+0x90',
        },
        checks: [
          { at: '11m', fires: [] },
          { at: '17m', fires: [] },
        ],
      },
    ],
  },
  MeshIdentityConflict: {
    summary: '{{ printf "%.0f" $value }} nodes of {{ $labels.mesh_id }} hear two processes with one identity',
    severity: 'page',
    per: 'mesh',
    about: 'mesh',
    expr: (d) => `count by (mesh_id) (
${indent(spanIncrease('mesh.identity.conflict', d('5m'), d))} > 0
)`,
    keepFiring: '5m',
    meaning:
      'Nodes heard two processes that run with the same peer id at the same time: a key file was copied with a machine or an image, or a second copy of a service was started. Each neighbour keeps the process that was linked first and refuses the other, so messages and requests to that peer reach one or the other. It is told once a minute while both run; a restart is no such thing.',
    cure: 'mesh.identity.addresses of the span says where the two are. Stop one of them, remove its copy of the key file (MESH_IDENTITY), and start it again: it draws an identity of its own.',
    search: { span: 'mesh.identity.conflict' },
    emitDelay: '1s',
    cases: [
      {
        title: 'two neighbours tell it once a minute for ten minutes, and its end',
        series: {
          [counter('mesh.identity.conflict')]: '_x6 1 1+0x4 2+0x5 3+0x5 4+0x5 5+0x5 6+0x5 7+0x5 8+0x120',
          [counter('mesh.identity.conflict', 'n2')]: '_x6 1+0x160',
          [up]: '1+0x170',
        },
        checks: [
          { at: '50s', fires: [] },
          { at: '1m30s', fires: firesForMesh(2) },
          { at: '10m', fires: firesForMesh(1) },
          { at: '20m', fires: [] },
        ],
      },
      {
        title: 'one long ago, which Prometheus knows from its first scrape on',
        series: { [counter('mesh.identity.conflict')]: '1+0x120', [up]: '1+0x120' },
        checks: [{ at: '13m', fires: [] }],
      },
    ],
  },
} as const satisfies Record<string, AlertSpec>

function budgetsInWords(): string {
  return Object.entries(budgets)
    .map(([role, { rssMb, cpuMsPerS }]) => `${role} ${rssMb} and ${cpuMsPerS}`)
    .join(', ')
}
