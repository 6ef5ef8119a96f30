import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { ServerCredentials } from '@grpc/grpc-js'
import { emitSpan } from '../catalogue/span-effect.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { type Certificates, makeCertificates } from '../testing/otlp/certificates.ts'
import { resource } from '../testing/otlp/memory-telemetry.ts'
import { type Receiver, startReceiver } from '../testing/otlp/otlp-receiver.ts'
import { skipWithout } from '../testing/requirement.ts'
import { systemTime } from '../testing/system-time.ts'
import { startTelemetry } from './telemetry.ts'

leakCheck()

const authorization = 'Bearer abc'

/** A remote receiver: it demands TLS, a client certificate and a token. */
async function withRemote(
  t: TestContext,
  use: (remote: Receiver, files: Certificates) => Promise<void>,
): Promise<void> {
  await using files = await makeCertificates()
  if (files === undefined) return skipWithout(t, 'openssl', 'openssl is not installed')
  const pair = { private_key: readFileSync(files.server.key), cert_chain: readFileSync(files.server.certificate) }
  const tls = ServerCredentials.createSsl(readFileSync(files.authority), [pair], true)
  const receiver = await startReceiver({ tls, authorization })
  await use(receiver, files).finally(() => receiver.close())
}

/** Emits one span with these variables, and counts the spans that stay queued. */
async function countUnsent(env: Readonly<Record<string, string>>, endpoint: string): Promise<number> {
  Object.assign(process.env, env)
  const limits = { delayMs: 20, backoff: { minMs: 50, maxMs: 200 } }
  const telemetry = startTelemetry({ clock: systemTime, resource, endpoint, limits })
  try {
    telemetry.emit(emitSpan('mesh.node.stalled', { 'mesh.stall.slept_ms': 1, 'mesh.stall.suspended_ms': 1 }), undefined)
    return (await telemetry.flush(2_000)).left
  } finally {
    await telemetry.close(0)
    for (const name of Object.keys(env)) delete process.env[name]
  }
}

test('a remote Collector with TLS, client certificate and token: OpenTelemetry’s variables configure all three', (t) =>
  withRemote(t, async (receiver, { authority, client }) => {
    const env = {
      OTEL_EXPORTER_OTLP_CERTIFICATE: authority,
      OTEL_EXPORTER_OTLP_CLIENT_KEY: client.key,
      OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: client.certificate,
      OTEL_EXPORTER_OTLP_HEADERS: `authorization=${encodeURIComponent(authorization)}`,
    }
    assert.equal(await countUnsent(env, receiver.endpoint), 0)
    assert.deepEqual(
      receiver.spans.map(({ name }) => name),
      ['mesh.node.stalled'],
    )
    const { OTEL_EXPORTER_OTLP_HEADERS: _, ...noToken } = env
    await countUnsent(noToken, receiver.endpoint)
    const { OTEL_EXPORTER_OTLP_CERTIFICATE: __, ...unknownAuthority } = env
    assert.equal(await countUnsent(unknownAuthority, receiver.endpoint), 1, 'nothing is sent to an unknown authority')
    assert.equal(receiver.spans.length, 1)
  }))
