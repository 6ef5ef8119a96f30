import { entriesOf, type Fields, fieldsOf, toList } from './otlp-json.ts'

/**
 * The response of Jaeger's `/api/traces` as one of `/api/v3/traces`: in Jaeger's own JSON, times are in microseconds,
 * and kind, status and scope of a span are among its tags. Undefined for a response of another server.
 *
 * @throws ShapeError for spans that are not a list
 */
export function otlpOfJaeger(answer: unknown): object | undefined {
  const { data } = fieldsOf(answer)
  if (!Array.isArray(data)) return undefined
  const resourceSpans = data.flatMap((entry) => {
    const trace = fieldsOf(entry)
    const processes = fieldsOf(trace['processes'])
    return toList(trace['spans'], 'spans').map((span) => groupOf(fieldsOf(span), processes))
  })
  return { result: { resourceSpans } }
}

/** A span with its resource and scope. */
function groupOf(span: Fields, processes: Fields): object {
  const process = fieldsOf(processes[String(span['processID'])])
  const service = { key: 'service.name', value: { stringValue: process['serviceName'] } }
  const tags = entriesOf(span['tags']).map(fieldsOf)
  const tagNamed = (...keys: readonly string[]) => tags.find(({ key }) => keys.includes(String(key)))?.['value']
  const scope = {
    name: tagNamed('otel.scope.name', 'otel.library.name'),
    version: tagNamed('otel.scope.version', 'otel.library.version'),
  }
  const traceId = traceIdOf(span)
  const references = entriesOf(span['references']).map(fieldsOf)
  const parent = references.find((reference) => reference['refType'] === 'CHILD_OF' && traceIdOf(reference) === traceId)
  const converted = {
    traceId,
    spanId: span['spanID'],
    parentSpanId: parent?.['spanID'],
    name: span['operationName'],
    kind: tagNamed('span.kind'),
    startTimeUnixNano: nanosecondsOf(span['startTime']),
    endTimeUnixNano: nanosecondsOf(Number(span['startTime']) + Number(span['duration'] ?? 0)),
    attributes: tags.filter(({ key }) => !ownTags.includes(String(key))).map(attributeOf),
    links: references
      .filter((reference) => reference !== parent)
      .map((reference) => ({ traceId: traceIdOf(reference), spanId: reference['spanID'] })),
    status: {
      code: String(tagNamed('error')) === 'true' ? 'error' : String(tagNamed('otel.status_code')).toLowerCase(),
    },
  }
  const resource = { attributes: [service, ...entriesOf(process['tags']).map(fieldsOf).map(attributeOf)] }
  return { resource, scopeSpans: [{ scope, spans: [converted] }] }
}

/** Tags for fields of a span in OTLP; its attributes do not have them. */
const ownTags: readonly string[] = [
  'error',
  'span.kind',
  'otel.status_code',
  'otel.status_description',
  'otel.scope.name',
  'otel.scope.version',
  'otel.library.name',
  'otel.library.version',
  'w3c.tracestate',
]

/** Jaeger leaves out leading zeros. */
function traceIdOf({ traceID }: Fields): unknown {
  return typeof traceID === 'string' ? traceID.padStart(32, '0') : traceID
}

/** Unchanged, and so unreadable, unless it is a number of microseconds. */
function nanosecondsOf(micros: unknown): unknown {
  return Number.isSafeInteger(micros) ? `${micros}000` : micros
}

const valueFields: Readonly<Record<string, string>> = {
  bool: 'boolValue',
  int64: 'intValue',
  float64: 'doubleValue',
  binary: 'bytesValue',
}

function attributeOf({ key, type, value }: Fields): object {
  return { key, value: { [valueFields[String(type)] ?? 'stringValue']: value } }
}
