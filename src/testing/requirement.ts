import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { TestContext } from 'node:test'
import type { StackBinary } from '../stack/binaries.ts'
import type { Language } from './interop/build.ts'

/** When `.ci/run` provides a requirement: as root on Debian it installs packages, with Go it builds programs. */
export type Provision = 'as root' | 'with Go' | 'never'

/** Something outside the repository that tests need. */
export interface Requirement {
  readonly use: string
  readonly provided: Provision
  readonly cure: string
}

type RequirementName =
  | 'openssl'
  | 'chromium'
  | 'shellcheck'
  | 'script'
  | 'compose'
  | 'ip'
  | 'nft'
  | 'network namespaces'
  | StackBinary
  | `${Language} guest`

const debian = (packageName: string) =>
  ({ provided: 'as root', cure: `apt-get install ${packageName}` }) satisfies Partial<Requirement>
const built = (command: string) =>
  ({ provided: 'with Go', cure: `deploy/offline.sh ${command}` }) satisfies Partial<Requirement>

/** CONTRIBUTING.md shows this table. */
export const requirements: Readonly<Record<RequirementName, Requirement>> = {
  openssl: { use: 'certificates for OTLP over TLS', ...debian('openssl') },
  chromium: { use: 'the page in a browser', ...debian('chromium') },
  shellcheck: { use: 'lint of the scripts in `deploy`', ...debian('shellcheck') },
  script: { use: 'a terminal for `deploy/start.sh`', ...debian('bsdutils') },
  compose: { use: 'syntax of `compose.yaml`', provided: 'as root', cure: 'deploy/offline.sh docker' },
  ip: { use: 'networks of namespaces', ...debian('iproute2') },
  nft: { use: 'NAT and packet loss on those networks', ...debian('nftables') },
  'network namespaces': {
    use: 'hosts on networks of their own',
    provided: 'never',
    cure: 'a kernel that lets this user create network namespaces',
  },
  jaeger: { use: 'storage and queries of the stack', ...built('binaries') },
  'otelcol-contrib': { use: 'the Collector’s pipeline', ...built('binaries') },
  prometheus: { use: 'the targets that Prometheus scrapes', ...built('binaries') },
  promtool: { use: 'alert rules and queries of the board', ...built('binaries') },
  alertmanager: { use: 'the complete stack', ...built('binaries') },
  amtool: { use: 'routes of Alertmanager', ...built('binaries') },
  'k8s-check': { use: 'manifests in `deploy/k8s`', ...built('k8s') },
  'go guest': { use: 'a peer of go-libp2p', provided: 'never', cure: 'npm run prove -- interop-go' },
  'rust guest': { use: 'a peer of rust-libp2p', provided: 'never', cure: 'npm run prove -- interop-rust' },
}

/** What decides whether `.ci/run` provides a requirement. */
export interface Machine {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly uid: number | undefined
}

const thisMachine: Machine = { env: process.env, uid: process.getuid?.() }

/**
 * Skips the rest of a test that cannot run without a requirement; return from the test after it.
 *
 * @throws Error with `CI=true`, if `.ci/run` provides the requirement: then a skip would hide a broken installation.
 */
export function skipWithout(
  t: Pick<TestContext, 'skip'>,
  name: RequirementName,
  reason: string,
  machine: Machine = thisMachine,
): void {
  const { provided, cure } = requirements[name]
  if (machine.env['CI'] === 'true' && isProvided(provided, machine))
    throw new Error(`${reason}. With CI=true this fails, since .ci/run provides ${name}. Cure: ${cure}`)
  t.skip(reason)
}

function isProvided(provided: Provision, { env, uid }: Machine): boolean {
  switch (provided) {
    case 'as root':
      return uid === 0 && isOnPath('apt-get', env)
    case 'with Go':
      return isOnPath('go', env)
    case 'never':
      return false
  }
}

/** True if `PATH` has an executable file of this name. */
export function isOnPath(program: string, env: Machine['env'] = process.env): boolean {
  return (env['PATH'] ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK)
      return directory !== ''
    } catch {
      return false
    }
  })
}
