import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { readLabFlags } from '../../lab/flags.ts'
import { pagePorts } from '../../lab/server.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { root } from '../shell.ts'

leakCheck()

const deploy = join(root, 'deploy')
const read = (name: string) => readFileSync(join(deploy, name), 'utf8')

/** `KEY=value` lines. */
function settings(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, key = '', value = '']) => [key, value]))
}

/** The files of Compose; start.sh adds all but the first when they apply. */
const composeFiles = globSync('compose*.yaml', { cwd: deploy })

test('settings of .env: exactly the variables of the compose files, and the host in links; all that is exposed is off', () => {
  const env = settings(read('.env'))
  const off = ['PPROF_PORT', 'PAGE_TOKEN', 'JAEGER_UI_ASSETS', 'NODE_LOGS', 'PUBLIC_HOST'].map((key) => env[key])
  assert.deepEqual(
    [...off, env['BIND_ADDRESS'], env['OTLP_BIND_ADDRESS']],
    ['', '', '', '', '', '127.0.0.1', '127.0.0.1'],
  )
  const texts = composeFiles.map(read).join('\n')
  const variables = [...texts.matchAll(/(?<!\$)\$\{(\w+)/g)].map(([, key = '']) => key)
  const expected = variables.filter((key) => !key.startsWith('STACK_'))
  const settingNames = Object.keys(env).filter((key) => !['COMPOSE_PROJECT_NAME', 'PUBLIC_HOST'].includes(key))
  assert.deepEqual(settingNames.toSorted(), [...new Set(expected)].toSorted())
})

test('the template of own settings: known keys, and one token to generate', () => {
  const template = read('local.env.template')
  const known = Object.keys(settings(read('.env')))
  assert.deepEqual(settings(template), { PAGE_TOKEN: '' })
  const examples = Object.keys(settings(template.replace(/^# (?=[A-Z_]+=)/gm, '')))
  assert.ok(examples.length >= 4)
  assert.deepEqual(
    examples.filter((key) => !known.includes(key)),
    [],
  )
})

test('the lab and the stack: no port in common', () => {
  const { page } = readLabFlags({})
  const first = Number(page.split(':')[1])
  const ports = Object.entries(settings(read('.env'))).filter(([key]) => key.endsWith('_PORT'))
  assert.ok(ports.length >= 8)
  for (const [key, port] of ports)
    assert.ok(Number(port) < first || Number(port) >= first + pagePorts, `${key}=${port}, the lab from ${first}`)
})

test('quick health checks: of every service that has one', () => {
  const { services: quick } = parse(read('compose.quick-checks.yaml'), { merge: true })
  const checked = Object.keys(services(read('compose.yaml'))).filter(
    (name) => !['collector', 'collector-volume'].includes(name),
  )
  assert.deepEqual(Object.keys(quick).toSorted(), checked.toSorted())
  for (const name of checked) assert.deepEqual(quick[name], { healthcheck: { start_interval: '2s' } })
})

test('the queues of the Collector: a volume that nothing else writes to, the one of earlier versions', () => {
  const compose = parse(read('compose.yaml'), { merge: true }) as { services: Record<string, Service> }
  const logs = parse(read('compose.logs.yaml'), { merge: true }) as { services: Record<string, Service> }
  const all = { ...compose.services, ...logs.services }
  const file = (name: string) => readFileSync(join(root, name), 'utf8')
  const volumeOf = (service: string, config: string, key: string) => {
    const path = new RegExp(`env:${key}:-([\\w/-]+)}`).exec(file(config))?.[1] ?? assert.fail(key)
    return mountsOf(all[service]).find(({ at }) => path.startsWith(`${at}/`))?.volume
  }
  // An upgrade moves nothing: a queue may hold hours of spans.
  assert.equal(volumeOf('collector', 'otel/collector.yaml', 'QUEUE_DIR'), 'collector')
  assert.equal(volumeOf('collector', 'otel/collector.yaml', 'SPANS_DIR'), 'archive')
  assert.equal(volumeOf('node-logs', 'otel/logs.yaml', 'LOGS_DIR'), 'archive')
  const users = Object.keys(all).filter((name) => mountsOf(all[name]).some(({ volume }) => volume === 'collector'))
  assert.deepEqual(users.toSorted(), ['collector', 'collector-volume'])
  const { entrypoint = [] } = all['collector-volume'] ?? {}
  const own = mountsOf(all['collector']).filter(({ volume }) => /^\w+$/.test(volume))
  assert.deepEqual(own, mountsOf(all['collector-volume']))
  assert.deepEqual(
    entrypoint.slice(2),
    own.map(({ at }) => at),
  )
})

interface Service {
  readonly entrypoint?: readonly string[]
  readonly volumes?: readonly string[]
}

function mountsOf(service: Service | undefined) {
  return (service?.volumes ?? []).map((mount) => {
    const [volume = '', at = ''] = mount.split(':')
    return { volume, at }
  })
}

test('offline builds have the versions of the images', () => {
  const images = settings(read('.env'))
  const offline = settings(read('offline.env'))
  const built = settings(read('offline/versions.sh'))
  for (const name of ['JAEGER', 'COLLECTOR', 'PROMETHEUS', 'ALERTMANAGER'] as const) {
    const version = built[`${name.toLowerCase()}_version`]
    const [image, standIn] = [images[`${name}_IMAGE`], offline[`${name}_IMAGE`]]
    assert.ok(version !== undefined && image !== undefined && standIn !== undefined, name)
    assert.equal(image.replace(/^.*:v?/, ''), version)
    assert.equal(standIn.replace(/^.*:/, ''), version)
  }
  const components = [...read('offline/collector.yaml').matchAll(/gomod: \S+ v(0\.\S+)/g)].map(([, version]) => version)
  assert.deepEqual([...new Set(components)], [built['collector_version']])
  assert.match(read('offline/collector.yaml'), new RegExp(`version: ${built['collector_version']}$`, 'm'))
  assert.equal(offline['NODE_IMAGE'], `tracemesh-offline/node:${built['node_version']}`)
})

test('offline images have the keys of the images they replace', () => {
  const keys = Object.keys(settings(read('.env')))
  for (const key of Object.keys(settings(read('offline.env')))) assert.ok(keys.includes(key), key)
})

test('Grafana has no admin with a default password', () => {
  const { grafana = '' } = services(read('compose.yaml'))
  assert.match(grafana, /GF_AUTH_BASIC_ENABLED: "false"\n/)
  assert.match(grafana, /GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION: "true"\n/)
})

/** Section of each service of a compose file, by name. */
function services(text: string): Record<string, string> {
  const [, body = ''] = text.split(/^services:$/m)
  const blocks = body.split(/^volumes:$/m)[0]?.split(/^ {2}(?=[\w-]+:$)/m) ?? []
  const entries = blocks.map((block) => [/^([\w-]+):$/m.exec(block)?.[1] ?? '', block] as const)
  return Object.fromEntries(entries.filter(([name]) => name !== ''))
}

test('every service has a limit of memory and CPU, restarts, and listens on loopback only', () => {
  const compose = read('compose.yaml')
  const all = services(compose)
  assert.ok(Object.keys(all).length >= 20)
  const [shared = ''] = compose.split(/^services:$/m)
  // Without memswap_limit a container at its limit swaps, and is slow, on a machine with swap.
  const bounds = [...compose.matchAll(/^ +mem_limit: (.+)\n +(\w+): (.+)$/gm)]
  assert.ok(bounds.length >= 7)
  for (const [line, most, key, both] of bounds) assert.deepEqual([key, both], ['memswap_limit', most], line)
  const inherits = (block: string) => /<<: \*(node|compute|service)/.test(block)
  const isNode = (block: string) => /<<: \*(node|compute)/.test(block)
  assert.match(shared, /x-node:(?:(?!^x-)[\s\S])*mem_limit(?:(?!^x-)[\s\S])*cpus/m)
  assert.match(shared, /x-service:(?:(?!^x-)[\s\S])*restart(?:(?!^x-)[\s\S])*max-size(?:(?!^x-)[\s\S])*cap_drop/m)
  for (const [name, block] of Object.entries(all)) {
    assert.ok(inherits(block), `${name} inherits restart, log rotation and capabilities`)
    assert.ok(isNode(block) || /mem_limit:/.test(block), `${name} has a limit of memory`)
    assert.ok(isNode(block) || name === 'collector-volume' || /cpus:/.test(block), `${name} has a limit of CPU`)
    for (const [, port] of block.matchAll(/"([^"]*\$\{\w*_PORT[^"]*:\d+)"/g))
      assert.match(port ?? '', /^(127\.0\.0\.1|\$\{(OTLP_)?BIND_ADDRESS:\?\}):/, name)
  }
})

test('the queue of Jaeger: the smallest one that start.sh allows takes any request that the door has accepted', () => {
  const config = readFileSync(join(root, 'otel/collector.yaml'), 'utf8')
  const door = Number(/^ {2}otlp_http\/door:[\s\S]*?queue_size: (\d+)/m.exec(config)?.[1])
  const [, least] = /QUEUE_ITEMS\) check_integer "\$key" "\$value" (\d+) /.exec(read('lib/check-settings.sh')) ?? []
  assert.equal(Number(least), door)
})
