import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { freeTcpPorts } from '../../stack/free-tcp-ports.ts'
import { until } from '../until.ts'

export interface RunningJaeger {
  readonly otlpUrl: string
  readonly queryUrl: string
  stop(): Promise<void>
}

const config = fileURLToPath(new URL('../../../jaeger/solo.yaml', import.meta.url))
const bounds = { startMs: 20_000, stopMs: 5_000, errorChars: 4_000 }

/** Starts Jaeger with spans in memory, on free loopback ports. Rejects if it does not answer within 20 s. */
export async function startJaeger(binary: string): Promise<RunningJaeger> {
  const [otlp = 0, query = 0, grpc = 0] = await freeTcpPorts([0, 0, 0])
  const ports = { JAEGER_OTLP_PORT: otlp, JAEGER_QUERY_PORT: query, JAEGER_QUERY_GRPC_PORT: grpc }
  const env = Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)]))
  const child = spawn(binary, ['--config', config], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-bounds.errorChars)
    })
  const exited = once(child, 'exit')
  const stop = async () => {
    const timer = setTimeout(() => child.kill('SIGKILL'), bounds.stopMs)
    child.kill('SIGTERM')
    await exited.finally(() => clearTimeout(timer))
  }
  const queryUrl = `http://127.0.0.1:${query}`
  try {
    await until(async () => (await fetch(`${queryUrl}/api/v3/services`)).ok, bounds.startMs, 'Jaeger answers')
  } catch (error) {
    await stop()
    throw new Error(`${binary} did not start: ${output}`, { cause: error })
  }
  return { otlpUrl: `http://127.0.0.1:${otlp}`, queryUrl, stop }
}
