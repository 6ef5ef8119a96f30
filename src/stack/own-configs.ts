import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Root of the repository. */
const root = fileURLToPath(new URL('../../', import.meta.url))

/** The configuration files of the containers. */
export const shippedConfigs = {
  collector: join(root, 'otel/collector.yaml'),
  jaeger: join(root, 'jaeger/jaeger.yaml'),
  jaegerUi: join(root, 'jaeger/ui.json'),
  prometheus: join(root, 'otel/prometheus.yml'),
  rules: join(root, 'otel/rules'),
  alertmanager: join(root, 'otel/alertmanager.yml'),
} as const

/** Directory of the rules in a container. */
const containerRules = '/etc/prometheus/rules'

/** Local address of each address in the container network, both as `host:port`. */
export type Addresses = Readonly<Record<string, string>>

/**
 * Replaces every target in Prometheus's configuration by its local address; no variable can set these. Throws if an
 * address of the container network remains.
 */
export function withAddresses(config: string, addresses: Addresses, localRules: string): string {
  const replaced = Object.entries(addresses).reduce(
    (text, [there, localAddress]) => text.replaceAll(new RegExp(`\\b${there}\\b`, 'g'), localAddress),
    config.replaceAll(containerRules, localRules),
  )
  const lines = replaced.split('\n').filter((line) => !line.trimStart().startsWith('#'))
  const unknownTarget = lines.find((line) =>
    /\b(?:collector|jaeger|prometheus|alertmanager|localhost):\d+\b/.test(line),
  )
  if (unknownTarget !== undefined) throw new Error(`unknown target in otel/prometheus.yml: ${unknownTarget.trim()}`)
  return replaced
}

/** Path of Prometheus's configuration for a stack in `directory`. */
export function prometheusConfigPath(directory: string): string {
  return join(directory, 'prometheus.yml')
}

/** Writes Prometheus's configuration and rules into `directory`; `rules` replaces the shipped ones. */
export async function writePrometheusConfig(directory: string, addresses: Addresses, rules?: string): Promise<void> {
  const localRules = join(directory, 'rules')
  await mkdir(localRules, { recursive: true })
  if (rules === undefined) await cp(shippedConfigs.rules, localRules, { recursive: true })
  else await writeFile(join(localRules, 'mesh.yml'), rules)
  const config = withAddresses(await readFile(shippedConfigs.prometheus, 'utf8'), addresses, localRules)
  await writeFile(prometheusConfigPath(directory), config)
}
