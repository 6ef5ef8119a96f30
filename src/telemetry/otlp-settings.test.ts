import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { makeCertificates } from '../testing/otlp/certificates.ts'
import { skipWithout } from '../testing/requirement.ts'
import { temporaryDirectory } from '../testing/surroundings.ts'
import { describeEndpointFault, exportTimeout, findOtlpProblems, isExportOff } from './otlp-settings.ts'

leakCheck()

type Env = Readonly<Record<string, string>>
const messages = (env: Env, endpoint?: string) => findOtlpProblems(endpoint, env).map(({ message }) => message)

function assertRefused(env: Env, key: string, reason: RegExp): void {
  const [message = 'nothing was refused', ...more] = messages(env)
  assert.ok(message.startsWith(`${key} is `), message)
  assert.match(message, reason)
  assert.deepEqual(more, [])
}

test('no variables, blank ones and those that fit gRPC: no problem', () => {
  assert.deepEqual(messages({}), [])
  assert.deepEqual(messages({ OTEL_EXPORTER_OTLP_ENDPOINT: ' ', OTEL_EXPORTER_OTLP_PROTOCOL: '' }), [])
  const all = {
    OTEL_TRACES_EXPORTER: 'otlp',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example.org:4317',
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20abc,x-tenant=a',
    OTEL_EXPORTER_OTLP_TIMEOUT: '20000',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
  }
  assert.deepEqual(messages(all), [])
})

test('OTLP over HTTP configured: the error says that tracemesh speaks gRPC, and at which port', () => {
  const http = { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' }
  assertRefused(http, 'OTEL_EXPORTER_OTLP_PROTOCOL', /"http\/protobuf"; expected grpc.*gRPC.*4317/)
  assert.deepEqual(messages(http, 'http://collector:4317'), [], 'MESH_OTLP is a gRPC endpoint')
  assert.deepEqual(messages(http, 'off'), [])
  assert.deepEqual(messages({ ...http, OTEL_SDK_DISABLED: 'true' }), [])
})

test('OTEL_SDK_DISABLED=true and OTEL_TRACES_EXPORTER=none: exporting is off', () => {
  assert.equal(isExportOff({}), false)
  assert.equal(isExportOff({ OTEL_SDK_DISABLED: 'TRUE' }), true)
  assert.equal(isExportOff({ OTEL_TRACES_EXPORTER: 'none' }), true)
  assert.equal(isExportOff({ OTEL_SDK_DISABLED: 'no', OTEL_TRACES_EXPORTER: 'otlp' }), false)
})

test('an exporter other than OTLP: is refused by name', () => {
  assertRefused({ OTEL_TRACES_EXPORTER: 'zipkin' }, 'OTEL_TRACES_EXPORTER', /otlp, or none/)
})

test('an endpoint without a scheme, with a path or a password: is refused, without showing the password', () => {
  const key = 'OTEL_EXPORTER_OTLP_ENDPOINT'
  assertRefused({ [key]: 'collector:4317' }, key, /a text of 14 characters that is not such a URL; expected an http/)
  assertRefused({ [key]: 'http://collector:4318/v1/traces' }, key, /a URL with a path/)
  assertRefused({ [key]: 'https://me:hunter2@collector:4317' }, key, /a URL with a user, not shown/)
  assertRefused({ [key]: 'https://collector:4317?key=hunter2' }, key, /a URL with a query, not shown/)
  assert.equal(describeEndpointFault('http://[::1]:4317'), undefined)
})

test('a header that gRPC cannot send: is refused by name, without showing its value', () => {
  const key = 'OTEL_EXPORTER_OTLP_HEADERS'
  const secret = 'dXNlcjpzZWNyZXQ'
  const reasons: readonly (readonly [string, RegExp])[] = [
    [
      `authorization=Basic ${secret}\n${secret}`,
      /"authorization" with a value of 37 characters that holds a line break/,
    ],
    [`authorization=Basic%20${secret}%0A`, /line break/],
    [`x-token=${secret};${secret}`, /semicolon/],
    [`x-token=100%${secret}`, /%/],
    [`x-token=é${secret}`, /non-ASCII/],
    [`a=b,${secret}`, /entry 2 without a name/],
    [`x token=${secret}`, /entry 1 with an invalid name/],
    [`${secret}=`, /entry 1 with a value of 0 characters that is empty/],
    [`a=b,${secret}=;`, /entry 2 with a value of 1 characters/],
    [`x-bin=${secret}`, /"x-bin"/],
    ['x-token=', /entry 1 with a value of 0 characters that is empty/],
  ]
  for (const [value, reason] of reasons) {
    assertRefused({ [key]: value }, key, reason)
    assert.ok(
      !messages({ [key]: value })
        .join()
        .includes(secret),
    )
  }
})

test('a secret anywhere in a variable that may hold one: no error repeats it', (t) => {
  const secret = 'c2VjcmV0LXRva2Vu5'
  const around = fc.string({ maxLength: 12, unit: fc.constantFrom(...'ab-=,;:/@?#%. é\n') })
  const variables = ['ENDPOINT', 'HEADERS', 'TRACES_HEADERS', 'CERTIFICATE', 'CLIENT_KEY', 'CLIENT_CERTIFICATE']
  const scheme = fc.constantFrom('', 'http://', 'https://', 'authorization=Bearer ')
  return forAll(
    { t, numRuns: 2_000 },
    [fc.constantFrom(...variables), scheme, around, around],
    (name, start, before, after) => {
      const endpoint = name === 'ENDPOINT' ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector:4317' }
      const env = { ...endpoint, [`OTEL_EXPORTER_OTLP_${name}`]: `${start}${before}${secret}${after}` }
      const text = messages(env).join('\n').toLowerCase()
      assert.ok(!text.includes(secret.toLowerCase()), text)
    },
  )
})

test('invalid timeouts and compressions are refused', () => {
  for (const value of ['0', 'soon', '-5', 'Infinity'])
    assertRefused({ OTEL_EXPORTER_OTLP_TIMEOUT: value }, 'OTEL_EXPORTER_OTLP_TIMEOUT', /above 0/)
  assertRefused({ OTEL_EXPORTER_OTLP_COMPRESSION: 'zstd' }, 'OTEL_EXPORTER_OTLP_COMPRESSION', /none or gzip/)
})

test('a timeout below ten seconds is raised to ten; a longer one stays', () => {
  assert.deepEqual(exportTimeout({}), { ms: 10_000 })
  assert.deepEqual(exportTimeout({ OTEL_EXPORTER_OTLP_TIMEOUT: '200' }), { ms: 10_000, raisedFrom: 200 })
  const both = { OTEL_EXPORTER_OTLP_TIMEOUT: '200', OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: '30000' }
  assert.deepEqual(exportTimeout(both), { ms: 30_000 })
})

test('certificates: a missing or invalid file, half a pair and a key of another certificate are refused', async (t) => {
  await using files = await makeCertificates()
  if (files === undefined) return skipWithout(t, 'openssl', 'openssl is not installed')
  const folder = temporaryDirectory(t)
  const nonsense = join(folder, 'nonsense.pem')
  writeFileSync(nonsense, 'none')
  const tls = { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector:4317' }
  const authority = 'OTEL_EXPORTER_OTLP_CERTIFICATE'
  const own = { OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: files.client.certificate }
  const key = 'OTEL_EXPORTER_OTLP_CLIENT_KEY'
  assertRefused({ ...tls, [authority]: join(folder, 'absent.pem') }, authority, /readable file/)
  assertRefused({ ...tls, [authority]: nonsense }, authority, /PEM/)
  assertRefused(
    { ...tls, [authority]: '-----BEGIN PRIVATE KEY-----\nabc' },
    authority,
    /a text of 31 characters, not shown/,
  )
  assertRefused({ ...tls, ...own }, 'OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE', /CLIENT_KEY beside it/)
  assertRefused({ ...tls, ...own, [key]: files.server.key }, key, /another certificate/)
  assert.deepEqual(messages({ ...tls, ...own, [key]: files.client.key, [authority]: files.authority }), [])
  assert.deepEqual(messages({ [authority]: nonsense }), [], 'without TLS no file is read')
})
