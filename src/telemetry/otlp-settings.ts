import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { MeshError, quote, redact } from '../core/errors.ts'

type Environment = Readonly<Record<string, string | undefined>>
export type SettingProblem = MeshError<'MESH_CONFIG_INVALID'>

/**
 * Shortest timeout of an export, in milliseconds; OpenTelemetry’s own default. A receiver that answers after the
 * timeout has usually accepted the batch, and a retry would deliver it twice. A long timeout delays nothing: spans are
 * queued.
 */
const minExportTimeoutMs = 10_000
const defaultEndpoint = 'http://127.0.0.1:4317'

export const otlpEndpointExpected = 'an http:// or https:// URL of host and port, without user and path'

/** Why `text` is not a valid endpoint, without repeating it: users put tokens into URLs. Undefined if it is valid. */
export function describeEndpointFault(text: string): string | undefined {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol))
    return `a text of ${text.length} characters that is not such a URL`
  if (url.hostname === '' || url.port === '0') return 'a URL without host or with port 0'
  if (url.username !== '' || url.password !== '') return 'a URL with a user, not shown'
  if (url.search !== '' || url.hash !== '') return 'a URL with a query, not shown'
  return url.pathname === '/' ? undefined : 'a URL with a path, which OTLP over gRPC does not use'
}

/** Whether OpenTelemetry’s variables switch traces off. */
export function isExportOff(env: Environment = process.env): boolean {
  return env['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true' || env['OTEL_TRACES_EXPORTER']?.trim() === 'none'
}

/** The endpoint of OpenTelemetry’s variables, the one for traces first, or the port of a receiver on this machine. */
export function standardEndpoint(env: Environment = process.env): string {
  return findVariable(env, 'ENDPOINT')?.value ?? defaultEndpoint
}

/** Timeout of one export in milliseconds; `raisedFrom` is the configured value if that is too short. */
export function exportTimeout(env: Environment = process.env): { readonly ms: number; readonly raisedFrom?: number } {
  const requestedMs = Number(findVariable(env, 'TIMEOUT')?.value ?? minExportTimeoutMs)
  return requestedMs < minExportTimeoutMs ? { ms: minExportTimeoutMs, raisedFrom: requestedMs } : { ms: requestedMs }
}

/**
 * Problems of OpenTelemetry’s variables for the exporter, by variable, without values of headers and keys. `endpoint`:
 * the setting of tracemesh, which overrides OpenTelemetry’s endpoint and protocol.
 */
export function findOtlpProblems(endpoint: string | undefined, env: Environment = process.env): SettingProblem[] {
  if (endpoint === 'off' || isExportOff(env)) return []
  const effectiveEndpoint = endpoint ?? standardEndpoint(env)
  return [
    ...(endpoint === undefined ? [...findExporterProblems(env), ...findEndpointProblems(env)] : []),
    ...findHeaderProblems(env),
    ...(effectiveEndpoint.startsWith('https:') ? findCertificateProblems(env) : []),
    ...findChoiceProblems(env),
  ]
}

/** The variable for traces wins over the one for all signals; a blank one counts as unset. */
function findVariable(env: Environment, name: string): { readonly key: string; readonly value: string } | undefined {
  return [`OTEL_EXPORTER_OTLP_TRACES_${name}`, `OTEL_EXPORTER_OTLP_${name}`]
    .map((key) => ({ key, value: env[key]?.trim() ?? '' }))
    .find(({ value }) => value !== '')
}

function findExporterProblems(env: Environment): SettingProblem[] {
  const exporter = env['OTEL_TRACES_EXPORTER']?.trim() ?? ''
  const exporters = exporter.split(',').map((text) => text.trim())
  if (exporter !== '' && !exporters.includes('otlp'))
    return [invalid('OTEL_TRACES_EXPORTER', quote(exporter), 'otlp, or none to switch traces off')]
  const protocol = findVariable(env, 'PROTOCOL')
  if (protocol === undefined || protocol.value === 'grpc') return []
  const expected =
    'grpc: tracemesh speaks OTLP over gRPC, usually port 4317; or set MESH_OTLP (`otlp` in an application)'
  return [invalid(protocol.key, quote(protocol.value), expected)]
}

function findEndpointProblems(env: Environment): SettingProblem[] {
  const variable = findVariable(env, 'ENDPOINT')
  const fault = variable && describeEndpointFault(variable.value)
  return variable === undefined || fault === undefined ? [] : [invalid(variable.key, fault, otlpEndpointExpected)]
}

function findCertificateProblems(env: Environment): SettingProblem[] {
  const authority = readPem(env, 'CERTIFICATE', (pem) => void new X509Certificate(pem))
  const certificate = readPem(env, 'CLIENT_CERTIFICATE', (pem) => void new X509Certificate(pem))
  const key = readPem(env, 'CLIENT_KEY', (pem) => void createPrivateKey(pem))
  const problems = [authority, certificate, key].flatMap((file) => file?.problem ?? [])
  if (problems.length > 0) return problems
  const [pairedFile, other] = certificate === undefined ? [key, 'CLIENT_CERTIFICATE'] : [certificate, 'CLIENT_KEY']
  if ((certificate === undefined) !== (key === undefined))
    return [invalid(pairedFile?.variable ?? '', 'set', `OTEL_EXPORTER_OTLP_${other} beside it`)]
  if (certificate === undefined || key === undefined) return []
  try {
    createSecureContext({ cert: certificate.pem, key: key.pem })
    return []
  } catch {
    return [
      invalid(key.variable, 'the key of another certificate', `the key of the certificate in ${certificate.variable}`),
    ]
  }
}

interface PemFile {
  readonly variable: string
  readonly pem: Buffer
  readonly problem?: SettingProblem
}

/** Repeats neither the value nor a TLS error: users put a key where its path belongs. */
function readPem(env: Environment, name: string, check: (pem: Buffer) => void): PemFile | undefined {
  const setting = findVariable(env, name)
  if (setting === undefined) return undefined
  const { key: variable, value } = setting
  try {
    const pem = readFileSync(value)
    check(pem)
    return { variable, pem }
  } catch {
    const problem = invalid(variable, redact(value), 'the path of a readable file in PEM format')
    return { variable, pem: Buffer.alloc(0), problem }
  }
}

function findChoiceProblems(env: Environment): SettingProblem[] {
  const problems: SettingProblem[] = []
  const timeout = findVariable(env, 'TIMEOUT')
  if (timeout !== undefined && !(Number(timeout.value) > 0 && Number.isFinite(Number(timeout.value))))
    problems.push(invalid(timeout.key, quote(timeout.value), 'milliseconds above 0'))
  const compression = findVariable(env, 'COMPRESSION')
  if (compression !== undefined && !['none', 'gzip'].includes(compression.value))
    problems.push(invalid(compression.key, quote(compression.value), 'none or gzip'))
  return problems
}

/** Variables that carry headers for the receiver; the first one wins. */
const headerVariables = ['OTEL_EXPORTER_OTLP_TRACES_HEADERS', 'OTEL_EXPORTER_OTLP_HEADERS'] as const
const headerFormat = 'name=value, separated by commas, with % , ; and non-ASCII characters of a value written as %XX'

/**
 * Headers that gRPC cannot send, by name, never with their value. In W3C baggage format, OpenTelemetry’s "Specifying
 * headers via environment".
 */
function findHeaderProblems(env: Environment): SettingProblem[] {
  return headerVariables.flatMap((variable) => {
    const entries = env[variable]?.trim().split(',') ?? []
    return entries.flatMap((entry, index) => findHeaderProblem(variable, entry, `entry ${index + 1}`) ?? [])
  })
}

/** The values of all headers, decoded and as written. */
export function headerValues(env: Environment): string[] {
  const texts = headerVariables.flatMap((variable) => env[variable]?.split(',') ?? [])
  return texts.flatMap((entry) => {
    const raw = entry.slice(entry.indexOf('=') + 1).trim()
    const value = decodePercent(raw) ?? raw
    // Receivers repeat a token without its scheme.
    return [raw, value, value.replace(/^\S+\s+/, '')]
  })
}

function findHeaderProblem(variable: string, entry: string, position: string): SettingProblem | undefined {
  if (entry.trim() === '') return undefined
  const at = entry.indexOf('=')
  if (at < 1) return invalid(variable, `${position} without a name`, headerFormat)
  const name = decodePercent(entry.slice(0, at).trim()) ?? ''
  const raw = entry.slice(at + 1).trim()
  const subject = looksLikeHeaderName(name) && /[^=]/.test(raw) ? `the header "${name.toLowerCase()}"` : position
  if (!/^[0-9A-Za-z_.-]+$/.test(name))
    return invalid(variable, `${position} with an invalid name`, 'letters, digits, _ . or - in a name')
  if (/^grpc-|-bin$/i.test(name)) return invalid(variable, subject, 'a name that gRPC does not reserve (grpc-…, …-bin)')
  const reason = describeHeaderFault(raw)
  if (reason === undefined) return undefined
  return invalid(variable, `${subject} with a value of ${raw.length} characters ${reason}`, headerFormat)
}

/**
 * A token without a name, or its part after a comma, may end in `=` and pass for a name. Only words joined by dashes
 * are shown.
 */
function looksLikeHeaderName(name: string): boolean {
  return name.length <= 40 && /^[A-Z]?[a-z]+(-[A-Z]?[a-z]+)*$/.test(name)
}

function describeHeaderFault(raw: string): string | undefined {
  const value = decodePercent(raw)
  if (raw === '') return 'that is empty'
  if (raw.includes(';')) return 'that holds a semicolon'
  if (value === undefined) return 'that holds a % without two hex digits'
  if (/[\r\n]/.test(value)) return 'that holds a line break (base64 -w0 writes none)'
  return /^[ -~]*$/.test(value) ? undefined : 'that holds control or non-ASCII characters'
}

function decodePercent(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

function invalid(key: string, given: string, expected: string): SettingProblem {
  return new MeshError('MESH_CONFIG_INVALID', { key, given, expected })
}
