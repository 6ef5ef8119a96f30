import { useMemo } from 'preact/hooks'
import type { Report, ReportedFinding } from '../../doctor/report/report.ts'
import type { DoctorAnswer } from '../doctor-answer.ts'
import type { MeshView } from '../mesh-view.ts'
import {
  capitalize,
  certaintyText,
  gapTexts,
  groupsOf,
  growthText,
  headline,
  listText,
  mixtureTexts,
  processText,
  readingText,
  resolutionText,
  scopeText,
  sentence,
  sinceText,
  symptomsText,
} from '../model/doctor.ts'
import { clock, duration, hrefOf, plural } from '../model/text.ts'
import { requestJson, useLoaded } from './api.ts'
import { Fact, lookbacks, NodeLink, NoStore, Problem, Select, TraceLink } from './parts.tsx'

interface DoctorProps {
  readonly view: MeshView
  readonly params: Readonly<Record<string, string>>
}

/** A diagnosis from the spans of a time, which the address holds. */
export function Doctor({ view, params }: DoctorProps) {
  const { back = '15', at } = params
  const openedMs = useMemo(() => Date.now(), [back, at])
  const toMs = Number(at) || openedMs
  const period = `from=${toMs - Number(back) * 60_000}&to=${toMs}`
  const { value, problem, loading } = useLoaded(
    view.traces ? period : undefined,
    () => requestJson<DoctorAnswer>(`/api/doctor?${period}`),
    nextAskMs,
  )
  if (!view.traces) return <NoStore />
  const report = value?.state === 'done' ? value.report : undefined
  const trouble = problem ?? (value?.state === 'failed' ? value.trouble : undefined)
  const isBusy = trouble === undefined && report === undefined
  return (
    <>
      <PeriodForm back={back} />
      <section class="card" aria-busy={loading || isBusy} aria-labelledby="verdict">
        <div role="status">
          <h2 id="verdict">
            {report === undefined ? (isBusy ? 'Diagnosing …' : 'No diagnosis') : capitalize(headline(report))}
          </h2>
        </div>
        <Problem text={trouble} />
        {isBusy && <Progress answer={value} />}
        {report && <Basis report={report} />}
      </section>
      {report &&
        groupsOf(report.findings).map(({ first, others }) => (
          <FindingCard key={keyOf(first)} finding={first} others={others} view={view} />
        ))}
    </>
  )
}

/** Milliseconds until the page asks again; undefined once there is an answer. */
function nextAskMs(answer: DoctorAnswer | undefined): number | undefined {
  if (answer?.state === 'running') return 500
  if (answer?.state === 'busy') return 2_000
  return answer?.state === 'failed' && answer.trouble.retries ? 10_000 : undefined
}

function PeriodForm({ back }: { readonly back: string }) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    const chosen = new FormData(event.currentTarget as HTMLFormElement).get('back')
    // The time repeats an unchanged question: there are newer spans.
    location.hash = hrefOf('doctor', undefined, { back: String(chosen), at: String(Date.now()) })
  }
  return (
    <form class="card row" onSubmit={submit} aria-label="Diagnose">
      <Select key={back} label="Spans of the last" name="back" options={lookbacks} value={back} />
      <button type="submit">Diagnose</button>
    </form>
  )
}

/** How far the reading is; it changes too often to be read aloud. */
function Progress({ answer }: { readonly answer: DoctorAnswer | undefined }) {
  if (answer?.state === 'busy') return <p class="quiet">The doctor reads another time now; this one is next.</p>
  const text = answer?.state === 'running' ? ` ${duration(answer.tookMs)}. ${answer.progress}` : ''
  return <p class="quiet">Reading spans of the trace store …{text}</p>
}

function Basis({ report }: { readonly report: Report }) {
  const gaps = gapTexts(report)
  return (
    <>
      <p class="quiet">
        {sentence(scopeText(report))} {sentence(`read ${readingText(report)}`)}
      </p>
      {mixtureTexts(report).map((text) => (
        <p key={text}>{sentence(text)}</p>
      ))}
      {report.verdict !== 'ill' && <p class="quiet">{sentence(resolutionText(report))}</p>}
      {gaps.length > 0 && (
        <>
          <p>What is missing:</p>
          <ul class="gaps">
            {gaps.map((gap) => (
              <li key={gap}>{gap}</li>
            ))}
          </ul>
        </>
      )}
    </>
  )
}

interface OwnerProps {
  readonly finding: ReportedFinding
  readonly view: MeshView
}

interface FindingProps extends OwnerProps {
  /** The same fault of others. */
  readonly others: readonly ReportedFinding[]
}

function FindingCard({ finding, others, view }: FindingProps) {
  const { title, certainty, summary, process, growth, missing, remedy, next, symptoms, alsoAt = [] } = finding
  const id = `finding-${keyOf(finding)}`
  return (
    <section class="card" aria-labelledby={id}>
      <h3 id={id}>
        {title} <span class={`state ${certainty}`}>{certaintyText[certainty]}</span>
      </h3>
      <dl class="facts">
        <Fact name="Owner">
          <Owner finding={finding} view={view} />
        </Fact>
        {process && <Fact name="Process">{processText(process)}</Fact>}
        <Fact name="What">{summary}</Fact>
        <Fact name="Since">{sinceText(finding)}</Fact>
        {growth && <Fact name="Growth">{growthText(growth)}</Fact>}
        {missing && <Fact name="Missing">{missing}</Fact>}
        {alsoAt.length > 0 && <Fact name="Also at">{listText(alsoAt)}</Fact>}
        {others.length > 0 && (
          <Fact name="The same">
            <Others findings={others} view={view} />
          </Fact>
        )}
        {symptoms.length > 0 && <Fact name="Explains">{symptomsText(finding)}</Fact>}
        <Fact name="Cure">{remedy}</Fact>
        {next !== '' && <Fact name="Next">{next}</Fact>}
        <Fact name="Proof">
          <Proof finding={finding} />
        </Fact>
      </dl>
    </section>
  )
}

function Proof({ finding }: Pick<OwnerProps, 'finding'>) {
  return (
    <span class="chips">
      {finding.proof.map(({ traceId, spanId, span, atMs }) => (
        <TraceLink key={spanId} id={traceId} span={spanId}>
          {span} {clock(atMs)}
        </TraceLink>
      ))}
    </span>
  )
}

/** Other owners of the fault, folded, each with its own proof. */
function Others({ findings, view }: { readonly findings: readonly ReportedFinding[]; readonly view: MeshView }) {
  const shown = findings.slice(0, maxOthers)
  return (
    <details>
      <summary>{plural(findings.length, 'more owner')}</summary>
      {shown.map((finding) => (
        <div key={keyOf(finding)} class="other">
          <Owner finding={finding} view={view} />
          {finding.process && <span class="quiet">process {processText(finding.process)}</span>}
          <Proof finding={finding} />
        </div>
      ))}
      {shown.length < findings.length && <p class="quiet">and {findings.length - shown.length} further ones</p>}
    </details>
  )
}

/** Owners of one fault that are listed. */
const maxOthers = 64

/** The part, and a link to the node if this page has it. */
function Owner({ finding: { owner }, view }: OwnerProps) {
  if (owner.node === '') {
    return (
      <>
        {owner.part}, of all of {owner.mesh}
      </>
    )
  }
  const node = view.nodes.find(({ name, meshes }) => name === owner.node && meshes.includes(owner.mesh))
  return (
    <>
      {node === undefined ? owner.node : <NodeLink node={node} />} of {owner.mesh}: {owner.part}
    </>
  )
}

function keyOf({ disease, owner }: ReportedFinding): string {
  return `${disease} ${owner.mesh} ${owner.node} ${owner.instance} ${owner.part}`.replaceAll(' ', '-')
}
