import { byNode, increase, spanCounter } from './promql.ts'
import { type AlertDeclaration, up } from './spec.ts'

/** A finding without enough evidence asks for more spans, not for somebody at night. */
const sure = spanCounter('mesh.doctor.finding').replace('}', ',mesh_doctor_certainty!="insufficient"}')

/** Counter of the findings of a watch, which repeats each one at every diagnosis. */
function findings(disease: string, node = 'n1', certainty = 'certain'): string {
  const labels = `mesh_id="a",mesh_node_name="${node}",mesh_doctor_disease="${disease}",mesh_doctor_certainty="${certainty}"`
  return `traces_span_metrics_calls_total{span_name="mesh.doctor.finding",${labels},instance="collector:8889"}`
}

function firesFor(disease: string, node = 'n1') {
  return [{ labels: { mesh_id: 'a', mesh_doctor_disease: disease, ...(node !== '' && { mesh_node_name: node }) } }]
}

/** One diagnosis a minute: `times` of them with the finding, then none. */
function everyMinute(times: number): string {
  return Array.from({ length: times }, (_, index) => `${index + 1}x5`).join(' ')
}

/** Alerts about what a doctor that watches the mesh has found. */
export const doctorAlerts = {
  MeshDoctorFinding: {
    summary: 'The doctor finds {{ $labels.mesh_doctor_disease }} in {{ $labels.mesh_id }} {{ $labels.mesh_node_name }}',
    severity: 'warning',
    basis: 'events',
    expr: (d) => `${increase(sure, `${byNode}, mesh_doctor_disease`, d('5m'), d)} > 0`,
    // A restart of the doctor, or of the trace store, is no second page.
    keepFiring: '10m',
    meaning:
      'tracemesh doctor --watch --emit found a fault that is certain or likely, within five minutes; one alert per disease and node, none for what lacks evidence. It resolves a quarter of an hour after the last diagnosis that has the finding. Without a doctor that watches it never fires.',
    cure: 'mesh.doctor.part is what of the node is at fault, mesh.doctor.summary has the numbers, mesh.doctor.remedy says what to do; the links of the span lead to the traces that prove it. The page of the disease is in docs/diseases.',
    search: { span: 'mesh.doctor.finding' },
    emitDelay: '1s',
    cases: {
      'a finding of each diagnosis, until it is gone': {
        series: { [findings('streams-left')]: `_x6 ${everyMinute(10)} 10x140`, [up]: '1+0x210' },
        checks: {
          '50s': [],
          '2m': firesFor('streams-left'),
          '10m': firesFor('streams-left'),
          '20m': firesFor('streams-left'),
          '30m': [],
        },
      },
      'a likely finding becomes certain, and two diseases of one node': {
        series: {
          [findings('streams-left', 'n1', 'likely')]: `_x6 ${everyMinute(3)} 3x60`,
          [findings('streams-left')]: `_x24 ${everyMinute(6)}`,
          [findings('self-seed')]: `_x6 ${everyMinute(9)}`,
          [up]: '1+0x80',
        },
        checks: {
          '3m': [...firesFor('self-seed'), ...firesFor('streams-left')],
          '8m': [...firesFor('self-seed'), ...firesFor('streams-left')],
        },
      },
      'the doctor, or its trace store, is away for nine minutes': {
        series: { [findings('self-seed')]: `_x6 ${everyMinute(5)} 5x54 6x5 7x5 8x60`, [up]: '1+0x170' },
        checks: { '8m': firesFor('self-seed'), '14m': firesFor('self-seed'), '18m': firesFor('self-seed') },
      },
      'a fault of the whole mesh': {
        series: { [findings('retry-storm', '')]: `_x6 ${everyMinute(5)}`, [up]: '1+0x40' },
        checks: { '2m': firesFor('retry-storm', '') },
      },
      'not enough evidence': {
        series: { [findings('starved-judge', 'n1', 'insufficient')]: `_x6 ${everyMinute(9)}`, [up]: '1+0x80' },
        checks: { '3m': [], '8m': [] },
      },
      'a finding of yesterday': {
        series: { [findings('self-seed')]: '7+0x60', [up]: '1+0x60' },
        checks: { '6m': [] },
      },
    },
  },
} as const satisfies Record<string, AlertDeclaration>
