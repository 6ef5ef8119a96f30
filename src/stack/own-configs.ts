import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository. */
const root = fileURLToPath(new URL('../../', import.meta.url))

/** The very files that containers are given. */
export const shippedConfigs = {
  collector: join(root, 'otel/collector.yaml'),
  jaeger: join(root, 'jaeger/jaeger.yaml'),
  jaegerUi: join(root, 'jaeger/ui.json'),
  prometheus: join(root, 'otel/prometheus.yml'),
  rules: join(root, 'otel/rules'),
  alertmanager: join(root, 'otel/alertmanager.yml'),
} as const

/** Where rules are in a container. */
const containerRules = '/etc/prometheus/rules'

/** Addresses in a network of containers, and where the same listens here: `host:port` each. */
export type Addresses = Readonly<Record<string, string>>

/**
 * Prometheus's configuration with every target of a network of containers replaced, the only thing in the stack that
 * no variable can set. Throws when an address is left that leads into such a network.
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
  if (unknownTarget !== undefined)
    throw new Error(`a target of otel/prometheus.yml is not known here: ${unknownTarget.trim()}`)
  return replaced
}

/** Where Prometheus's configuration of a stack in `directory` is. */
export function prometheusConfigPath(directory: string): string {
  return join(directory, 'prometheus.yml')
}

/** Writes Prometheus's configuration and rules into `directory`; `rules` in place of those that are shipped. */
export async function writePrometheusConfig(directory: string, addresses: Addresses, rules?: string): Promise<void> {
  const localRules = join(directory, 'rules')
  await mkdir(localRules, { recursive: true })
  if (rules === undefined) await cp(shippedConfigs.rules, localRules, { recursive: true })
  else await writeFile(join(localRules, 'mesh.yml'), rules)
  const config = withAddresses(await readFile(shippedConfigs.prometheus, 'utf8'), addresses, localRules)
  await writeFile(prometheusConfigPath(directory), config)
}
