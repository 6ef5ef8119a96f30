import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import { root } from '../shell.ts'

leakCheck()

const deploy = join(root, 'deploy')
const read = (name: string) => readFileSync(join(deploy, name), 'utf8')

/** `KEY=value` lines. */
function settings(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, key = '', value = '']) => [key, value]))
}

test('settings of .env: exactly the variables of compose.yaml; profiling is off', () => {
  assert.equal(settings(read('.env'))['PPROF_PORT'], '')
  const variables = [...read('compose.yaml').matchAll(/(?<!\$)\$\{(\w+)/g)].map(([, key]) => key)
  const settingNames = Object.keys(settings(read('.env'))).filter((key) => key !== 'COMPOSE_PROJECT_NAME')
  assert.deepEqual(settingNames.toSorted(), [...new Set(variables)].toSorted())
})

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
      assert.ok(port?.startsWith('127.0.0.1:'), `${name}: ${port}`)
  }
})
