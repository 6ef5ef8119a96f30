import { fileURLToPath } from 'node:url'
import { freeTcpPorts } from '../../processes/free-ports.ts'
import { Subprocess } from '../../processes/subprocess.ts'
import { until } from '../../processes/waiting.ts'

export interface RunningJaeger {
  readonly otlpUrl: string
  readonly queryUrl: string
  stop(): Promise<void>
}

const config = fileURLToPath(new URL('../../../jaeger/solo.yaml', import.meta.url))
const bounds = { startMs: 20_000, stopMs: 5_000 }

/** Starts Jaeger with spans in memory, on free loopback ports. Rejects if it does not answer within 20 s. */
export async function startJaeger(binary: string): Promise<RunningJaeger> {
  const [otlp = 0, query = 0, grpc = 0] = await freeTcpPorts([0, 0, 0])
  const ports = { JAEGER_OTLP_PORT: `${otlp}`, JAEGER_QUERY_PORT: `${query}`, JAEGER_QUERY_GRPC_PORT: `${grpc}` }
  const env = { ...process.env, ...ports }
  const jaeger = new Subprocess({ name: 'Jaeger', command: [binary, '--config', config], env })
  const queryUrl = `http://127.0.0.1:${query}`
  const isUp = async () => (await fetch(`${queryUrl}/api/v3/services`)).ok
  await jaeger.ready(until(isUp, Number.POSITIVE_INFINITY, 'Jaeger answers', jaeger.ended), bounds.startMs)
  return {
    otlpUrl: `http://127.0.0.1:${otlp}`,
    queryUrl,
    stop: async () => void (await jaeger.stop(bounds.stopMs)),
  }
}
