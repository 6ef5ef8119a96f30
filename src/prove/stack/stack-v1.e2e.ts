import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { watchdog } from '../../catalogue/alerts/rules.ts'
import { Alertmanager } from '../../drill/stack-api.ts'
import { until } from '../../processes/waiting.ts'
import { endToEnd } from '../end-to-end.ts'
import { deathLimits } from '../mesh/mesh.ts'
import { atMost, type Check, each, equals, type Proof, type ProofContext, type ProofResult, unrun } from '../proof.ts'
import type { CommandResult } from '../shell.ts'
import {
  type ComposeStack,
  type ComposeVersion,
  cloneWithChanges,
  composeCommand,
  composeStack,
  containersOf,
  docker,
  MemoryWatch,
  remainingObjects,
} from './containers.ts'
import { runTraceChecks } from './trace-checks.ts'

const healthySeconds = 120
/** The late seed's links, and the digests of all members. */
const settleMs = 20_000
/** An evaluation, and the way to Alertmanager. */
const watchdogMs = 60_000

export const proof = stackProof('v1')

/** The stack of a fresh clone in containers, with one version of Compose. */
export function stackProof(version: ComposeVersion): Proof {
  return endToEnd({
    name: `stack-${version}`,
    about: `deploy/start.sh of a fresh clone with Compose ${version}: with settings of one's own, healthy in time, Jaeger has all expected traces, killed containers return, stop.sh leaves nothing`,
    quick: false,
    seconds: 360,
    async run(context) {
      const compose = await composeCommand(version, context.signal)
      if ('missing' in compose) return unrun(context, `Docker with Compose ${version}`, 'present', compose.missing)
      await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-stack-'))
      const directory = temporary.path
      const clone = await cloneWithChanges(directory, context.signal)
      return await runStack(await composeStack(directory, clone, compose.command, context), context)
    },
  })
}

async function runStack(stack: ComposeStack, context: ProofContext): Promise<ProofResult> {
  const { progress, signal } = context
  try {
    progress('deploy/offline.sh images')
    const images = await stack.script('offline.sh images')
    if (images.code === 3) return unrun(context, 'images', 'present', images.output.trim())
    progress('deploy/build.sh')
    const built = await stack.build()
    progress('deploy/start.sh')
    const fromMs = Date.now()
    const began = await stack.start()
    const checks: Check[] = [
      exits('deploy/offline.sh images', images),
      exits('deploy/build.sh --offline', built),
      exits('deploy/start.sh --offline', began),
      atMost('until all are healthy', healthySeconds, began.seconds, 's'),
    ]
    if (checks.some(({ holds }) => holds !== true)) return { figures: {}, checks }
    checks.push(...(await checkAddresses(stack, began.output)))
    const watch = new MemoryWatch(stack.project)
    const { alerts, checks: statusChecks } = await checkStatus(stack, signal)
    checks.push(...statusChecks)
    await startLonelyNode(stack)
    await sleep(settleMs, undefined, { signal })
    await removeTwoNodes(stack, progress)
    await sleep(deathLimits.expiredMs, undefined, { signal })
    const traceResult = await runTraceChecks({ jaeger: stack.jaeger, fromMs, names: true }, context)
    const memory = await watch.stop()
    const containers = await containersOf(stack.project)
    checks.push(
      ...traceResult.checks,
      each('memory in use, at most', 'below each limit', memory, ({ workingMb, limitMb }) => workingMb < limitMb),
      each('containers', 'none killed for memory', containers, ({ oomKilled }) => !oomKilled),
      each('containers', 'none restarted', containers, ({ restarts }) => restarts === 0),
      ...(await checkWayBack(stack, progress)),
      ...(await stopStack(stack)),
    )
    return { figures: { ...traceResult.figures, healthyAfterS: began.seconds, alerts, memory }, checks }
  } finally {
    await docker('rm', '--force', lonelyName(stack)).catch(() => {})
    await stack.remove()
  }
}

/** While all is healthy status.sh exits with 0, although the watchdog fires. */
async function checkStatus(stack: ComposeStack, signal: AbortSignal) {
  const alertmanager = new Alertmanager(stack.alertmanager)
  const rings = async () => (await alertmanager.state(watchdog.name, undefined)) === 'firing'
  await until(rings, watchdogMs, `${watchdog.name} fires`, signal)
  const { code, output } = await stack.script('status.sh')
  // On a busy machine an alert may fire rightly.
  const alerts = (await alertmanager.all('active')).map(({ alertname = '' }) => alertname)
  const checks = [
    equals(
      `deploy/status.sh with ${alerts.join(', ') || 'no alert'} beside ${watchdog.name} exits with`,
      alerts.length === 0 ? 0 : 1,
      code ?? -1,
    ),
    equals(`it lists ${watchdog.name}`, false, output.includes(watchdog.name)),
    equals('not healthy in its table', 0, output.match(/ (unhealthy|starting|restarting) /g)?.length ?? 0),
  ]
  return { alerts, checks }
}

function exits(command: string, { code, output }: CommandResult): Check {
  const got = code === 0 ? 0 : `${code}: ${output.slice(-2_000)}`
  return { what: `${command} exits with`, want: '0', got, holds: code === 0 }
}

function lonelyName({ project }: ComposeStack): string {
  return `${project}-lonely`
}

/** Starts a node whose seed never answers: its give-up takes minutes. */
async function startLonelyNode(stack: ComposeStack): Promise<void> {
  const env = {
    MESH_ID: 'mesh-a',
    MESH_NAME: 'lonely',
    MESH_SEEDS: '/dns4/nobody/udp/4001/quic-v1',
    MESH_OTLP: 'http://collector:4317',
  }
  const variables = Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`])
  const network = ['--network', `${stack.project}_default`]
  await docker('run', '--detach', '--name', lonelyName(stack), ...network, ...variables, stack.image)
}

/** Kills one node and stops another with goodbyes. */
async function removeTwoNodes(stack: ComposeStack, progress: (text: string) => void): Promise<void> {
  const all = await containersOf(stack.project)
  const [victim, leaver] = all.filter(({ service }) => service.endsWith('-compute'))
  if (victim === undefined || leaver === undefined) throw new Error('the stack has fewer than two compute nodes')
  progress(`one ${victim.service} is killed, one ${leaver.service} is stopped`)
  await docker('kill', victim.id)
  await docker('stop', leaver.id)
}

/** The addresses of the settings are those of the links, and a generated token is not in the output. */
async function checkAddresses(stack: ComposeStack, output: string): Promise<Check[]> {
  const { page, jaeger, prometheus } = stack
  const read = async (path: string) => (await fetch(`${prometheus}${path}`)).json() as Promise<{ data: unknown }>
  const flags = (await read('/api/v1/status/flags')).data as Readonly<Record<string, string>>
  const { yaml } = (await read('/api/v1/status/config')).data as { readonly yaml: string }
  const printed = [page, jaeger, prometheus].filter((url) => output.includes(` ${url}`))
  // The images of deploy/offline.sh have no page; the published ones do.
  const withoutPage = await hasNoPage(jaeger)
  return [
    equals('addresses of the settings that start.sh prints', 3, printed.length),
    equals('external URL of Prometheus', prometheus, flags['web.external-url'] ?? ''),
    equals('Jaeger in the links of alerts', jaeger, /^ +jaeger: (.*)$/m.exec(yaml)?.[1] ?? ''),
    equals('start.sh says that Jaeger has no page', withoutPage, output.includes('this image of Jaeger has no page')),
  ]
}

async function hasNoPage(jaeger: string): Promise<boolean> {
  return !(await (await fetch(`${jaeger}/`)).text()).includes('jaeger-ui-root')
}

function idOf(containers: Awaited<ReturnType<typeof containersOf>>, service: string): string {
  return containers.find((one) => one.service === service)?.id ?? ''
}

/** A start without options brings back what was killed and stopped. */
async function checkWayBack(stack: ComposeStack, progress: (text: string) => void): Promise<Check[]> {
  const before = await containersOf(stack.project)
  const [observer] = before.filter(({ service }) => service === 'observer')
  if (observer === undefined) throw new Error('the stack has no observer')
  progress('the observer is killed, and start.sh runs again')
  await docker('kill', observer.id)
  const status = await stack.script('status.sh')
  const start = await stack.script('start.sh')
  const after = await containersOf(stack.project)
  const named = /^unhealthy: (.*);/m.exec(status.output)?.[1] ?? ''
  return [
    equals('deploy/status.sh with a killed observer exits with', 1, status.code ?? -1),
    { what: 'it names', want: 'observer', got: named, holds: /\bobserver\b/.test(named) },
    exits('deploy/start.sh without options', start),
    equals('containers, as before', before.length, after.length),
    each('containers but one', 'run', after, ({ service, pid }) => pid > 0 || service === 'collector-volume'),
    equals('Jaeger runs on in the same container', idOf(before, 'jaeger'), idOf(after, 'jaeger')),
  ]
}

/** Stops the stack, which keeps the data, then deletes the data. */
async function stopStack(stack: ComposeStack): Promise<Check[]> {
  await docker('rm', '--force', lonelyName(stack))
  const stop = await stack.script('stop.sh')
  const remaining = await remainingObjects(stack.project, ['container', 'network'])
  const volumes = await remainingObjects(stack.project, ['volume'])
  const remove = await stack.script('stop.sh --delete-data')
  const afterDelete = await remainingObjects(stack.project, ['container', 'network', 'volume'])
  return [
    exits('deploy/stop.sh', stop),
    equals('left by deploy/stop.sh', '', remaining.join(', ')),
    { what: 'volumes kept by it', want: 'some', got: volumes.length, holds: volumes.length > 0 },
    exits('deploy/stop.sh --delete-data', remove),
    equals('left by deploy/stop.sh --delete-data', '', afterDelete.join(', ')),
    equals('records left by it', '', stack.records().join(', ')),
  ]
}
