import { fileURLToPath } from 'node:url'
import { nodeEnvironment } from '../../processes/node-program.ts'
import { type NodeProcess, startProcess } from './node-process.ts'

export interface StoreProcess {
  readonly process: NodeProcess
  readonly otlpUrl: string
  readonly queryUrl: string
}

const entry = fileURLToPath(new URL('../../commands/main.ts', import.meta.url))

/** Starts `tracemesh store` in its own process, on free loopback ports. */
export async function startStoreProcess(file: string, flags: readonly string[] = []): Promise<StoreProcess> {
  const args = ['store', '--otlp', '127.0.0.1:0', '--http', '127.0.0.1:0', '--file', file, ...flags]
  const process = await startProcess({ name: 'store', entry, args, env: nodeEnvironment() })
  const listening = process.log.find(({ msg }) => msg === 'listening')
  return { process, otlpUrl: String(listening?.['otlp']), queryUrl: String(listening?.['query']) }
}
