import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { MeshError } from '../core/errors.ts'
import { quote, withheld } from '../core/quote.ts'
import { headerProblems, headerVariables } from './otlp-headers.ts'

type Environment = Readonly<Record<string, string | undefined>>
export type SettingProblem = MeshError<'MESH_CONFIG_INVALID'>

/**
 * Milliseconds that an export may take at least, OpenTelemetry’s own default. A receiver that answers later than the
 * limit has usually taken the batch: it would be sent again and arrive twice. Nothing waits for an export, since spans
 * queue in front of it.
 */
const exportMsLeast = 10_000
const defaultEndpoint = 'http://127.0.0.1:4317'

export const otlpEndpointExpected = 'an http:// or https:// URL of host and port, without user and path'

/** Whether `text` is an endpoint that OTLP over gRPC can be sent to. */
export function isOtlpEndpoint(text: string): boolean {
  return endpointFault(text) === undefined
}

/** What makes `text` no endpoint, without repeating it: users put tokens into URLs. Undefined for an endpoint. */
export function endpointFault(text: string): string | undefined {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) return `a text of ${text.length} characters that is no such URL`
  if (url.hostname === '' || url.port === '0') return 'a URL without host or with port 0'
  if (url.username !== '' || url.password !== '') return 'a URL with a user, not shown'
  if (url.search !== '' || url.hash !== '') return 'a URL with a query, not shown'
  return url.pathname === '/' ? undefined : 'a URL with a path, which OTLP over gRPC has not'
}

/** Whether the operator has switched traces off, by the variables that OpenTelemetry names for it. */
export function exportingIsOff(env: Environment = process.env): boolean {
  return env['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true' || env['OTEL_TRACES_EXPORTER']?.trim() === 'none'
}

/** The endpoint that OpenTelemetry’s variables name, that for traces first, or the port of a receiver on this machine. */
export function standardEndpoint(env: Environment = process.env): string {
  return variableOf(env, 'ENDPOINT')?.value ?? defaultEndpoint
}

/** Milliseconds for one export, and what was asked for where that is less. */
export function exportTimeout(env: Environment = process.env): { readonly ms: number; readonly raisedFrom?: number } {
  const asked = Number(variableOf(env, 'TIMEOUT')?.value ?? exportMsLeast)
  return asked < exportMsLeast ? { ms: exportMsLeast, raisedFrom: asked } : { ms: asked }
}

/**
 * What is wrong with OpenTelemetry’s variables for the exporter, each by its name, values of headers and keys never
 * shown. `endpoint`: from a setting of tracemesh, which is above theirs; then their endpoint and protocol mean nothing.
 */
export function otlpProblems(endpoint: string | undefined, env: Environment = process.env): SettingProblem[] {
  if (endpoint === 'off' || exportingIsOff(env)) return []
  const used = endpoint ?? standardEndpoint(env)
  return [
    ...(endpoint === undefined ? [...exporterProblems(env), ...endpointProblems(env)] : []),
    ...allHeaderProblems(env),
    ...(used.startsWith('https:') ? certificateProblems(env) : []),
    ...choiceProblems(env),
  ]
}

/** The variable for traces wins over the one for all signals; a blank one counts as unset. */
function variableOf(env: Environment, name: string): { readonly key: string; readonly value: string } | undefined {
  return [`OTEL_EXPORTER_OTLP_TRACES_${name}`, `OTEL_EXPORTER_OTLP_${name}`]
    .map((key) => ({ key, value: env[key]?.trim() ?? '' }))
    .find(({ value }) => value !== '')
}

function exporterProblems(env: Environment): SettingProblem[] {
  const exporter = env['OTEL_TRACES_EXPORTER']?.trim() ?? ''
  const named = exporter.split(',').map((text) => text.trim())
  if (exporter !== '' && !named.includes('otlp'))
    return [invalid('OTEL_TRACES_EXPORTER', quote(exporter), 'otlp, or none to switch traces off')]
  const protocol = variableOf(env, 'PROTOCOL')
  if (protocol === undefined || protocol.value === 'grpc') return []
  const expected =
    'grpc: spans leave by OTLP over gRPC, to port 4317 of most receivers; or MESH_OTLP (`otlp` in an application) to name such an endpoint beside it'
  return [invalid(protocol.key, quote(protocol.value), expected)]
}

function endpointProblems(env: Environment): SettingProblem[] {
  const named = variableOf(env, 'ENDPOINT')
  const fault = named && endpointFault(named.value)
  return named === undefined || fault === undefined ? [] : [invalid(named.key, fault, otlpEndpointExpected)]
}

function allHeaderProblems(env: Environment): SettingProblem[] {
  return headerVariables.flatMap((variable) =>
    headerProblems(env[variable]?.trim() ?? '').map(({ given, expected }) => invalid(variable, given, expected)),
  )
}

function certificateProblems(env: Environment): SettingProblem[] {
  const authority = pemOf(env, 'CERTIFICATE', (pem) => void new X509Certificate(pem))
  const certificate = pemOf(env, 'CLIENT_CERTIFICATE', (pem) => void new X509Certificate(pem))
  const key = pemOf(env, 'CLIENT_KEY', (pem) => void createPrivateKey(pem))
  const problems = [authority, certificate, key].flatMap((file) => file?.problem ?? [])
  if (problems.length > 0) return problems
  const [alone, other] = certificate === undefined ? [key, 'CLIENT_CERTIFICATE'] : [certificate, 'CLIENT_KEY']
  if ((certificate === undefined) !== (key === undefined))
    return [invalid(alone?.variable ?? '', 'set', `OTEL_EXPORTER_OTLP_${other} beside it`)]
  if (certificate === undefined || key === undefined) return []
  try {
    createSecureContext({ cert: certificate.pem, key: key.pem })
    return []
  } catch {
    return [invalid(key.variable, 'the key of another certificate', `the key of that in ${certificate.variable}`)]
  }
}

interface PemFile {
  readonly variable: string
  readonly pem: Buffer
  readonly problem?: SettingProblem
}

/** Neither the value nor an error of TLS is repeated: a key itself may stand where its path should. */
function pemOf(env: Environment, name: string, check: (pem: Buffer) => void): PemFile | undefined {
  const named = variableOf(env, name)
  if (named === undefined) return undefined
  const { key: variable, value } = named
  try {
    const pem = readFileSync(value)
    check(pem)
    return { variable, pem }
  } catch {
    const problem = invalid(variable, withheld(value), 'the path of a readable file in PEM format')
    return { variable, pem: Buffer.alloc(0), problem }
  }
}

function choiceProblems(env: Environment): SettingProblem[] {
  const problems: SettingProblem[] = []
  const timeout = variableOf(env, 'TIMEOUT')
  if (timeout !== undefined && !(Number(timeout.value) > 0 && Number.isFinite(Number(timeout.value))))
    problems.push(invalid(timeout.key, quote(timeout.value), 'milliseconds above 0'))
  const compression = variableOf(env, 'COMPRESSION')
  if (compression !== undefined && !['none', 'gzip'].includes(compression.value))
    problems.push(invalid(compression.key, quote(compression.value), 'none or gzip'))
  return problems
}

function invalid(key: string, given: string, expected: string): SettingProblem {
  return new MeshError('MESH_CONFIG_INVALID', { key, given, expected })
}
