import { homedir } from 'node:os'
import { join } from 'node:path'
import { freeTcpPorts } from '../../stack/free-tcp-ports.ts'
import type { ProofContext } from '../proof.ts'
import { type CommandResult, plainEnvironment, sh } from '../shell.ts'
import { docker } from './containers.ts'

/** The containers' stack of a clone, with its own project, ports and image name. */
export interface ComposeStack {
  readonly project: string
  readonly image: string
  readonly jaeger: string
  /** Runs a script of the clone's deploy/. */
  script(command: string): Promise<CommandResult>
  /** Removes the stack, its data and its image, also after an abort. */
  remove(): Promise<void>
}

const keys = [
  ...['PAGE_PORT', 'JAEGER_UI_PORT', 'PROMETHEUS_PORT', 'ALERTMANAGER_PORT', 'GRAFANA_PORT'],
  ...['OTLP_PORT', 'OTLP_HTTP_PORT', 'COLLECTOR_HEALTH_PORT'],
]

/** Commands of each version of Compose; v2 may be the one that `deploy/offline.sh compose` builds. */
const commands = {
  v1: ['docker-compose'],
  v2: [
    'docker compose',
    join(process.env['TRACEMESH_STACK'] || join(homedir(), '.cache/tracemesh/stack'), 'bin/docker-compose-v2'),
  ],
} as const
export type ComposeVersion = keyof typeof commands
export const composeCommands: readonly string[] = Object.values(commands).flat()

/** The command of that Compose, or what is missing to run it. */
export async function composeCommand(
  version: ComposeVersion,
  signal: AbortSignal,
): Promise<{ readonly command: string } | { readonly missing: string }> {
  const daemon = await docker('info', '--format', '{{.ServerVersion}}').catch((error: unknown) => error)
  if (typeof daemon !== 'string') return { missing: `Docker cannot be reached: ${String(daemon).slice(0, 200)}` }
  for (const command of commands[version]) {
    const { code, output } = await sh(`${command} version`, '/', plainEnvironment(), signal)
    if (code === 0 && output.includes(version === 'v1' ? 'version 1.' : ' v2.')) return { command }
  }
  return {
    missing: `Compose ${version} is not installed (deploy/offline.sh ${version === 'v1' ? 'docker' : 'compose'})`,
  }
}

/** Variables that separate the stack of `project` from any other: its own ports, and its Compose. */
export async function stackEnvironment(compose: string, project: string): Promise<Readonly<Record<string, string>>> {
  const ports = await freeTcpPorts(keys.map(() => 0))
  return {
    ...(plainEnvironment() as Record<string, string>),
    ...Object.fromEntries(keys.map((key, index) => [key, String(ports[index])])),
    COMPOSE: compose,
    COMPOSE_PROJECT_NAME: project,
  }
}

export async function composeStack(clone: string, compose: string, { signal }: ProofContext): Promise<ComposeStack> {
  const project = `tracemesh-proof-${process.pid}`
  const image = `tracemesh/node:${project}`
  const env: Readonly<Record<string, string>> = {
    ...(await stackEnvironment(compose, project)),
    TRACEMESH_IMAGE: image,
  }
  const remove = async () => {
    // No pipe, which may close before the command ends.
    const down = 'deploy/stop.sh --delete-data >/dev/null 2>&1'
    await sh(`${down}; docker image rm --force ${image} >/dev/null 2>&1`, clone, env, new AbortController().signal)
  }
  return {
    project,
    image,
    jaeger: `http://127.0.0.1:${env['JAEGER_UI_PORT']}`,
    script: (command) => sh(`deploy/${command}`, clone, env, signal),
    remove,
  }
}
