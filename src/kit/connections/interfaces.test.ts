import assert from 'node:assert/strict'
import type { NetworkInterfaceInfo } from 'node:os'
import { test } from 'node:test'
import { Owner } from '../../core/owner.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { systemClock } from '../clock.ts'
import { defaultRouteTargets, interfaceReader, readInterfaces, sourceAddress } from './interfaces.ts'

leakCheck()

const info = (address: string) => ({ address, family: 'IPv4' }) as NetworkInterfaceInfo

test('the names of container bridges are recognized, real interfaces are no bridges', () => {
  const names = ['docker0', 'br-4f2a', 'veth12ab', 'cni0', 'virbr0', 'eth0', 'wlp3s0', 'wg0', 'tailscale0']
  const found = readInterfaces(() => Object.fromEntries(names.map((name) => [name, [info('10.0.0.1')]])))
  const bridges = found.filter(({ isBridge }) => isBridge).map(({ name }) => name)
  assert.deepEqual(bridges, ['docker0', 'br-4f2a', 'veth12ab', 'cni0', 'virbr0'])
})

test('a system that cannot list interfaces: an empty list', () => {
  const failing = () => {
    throw new Error('not permitted')
  }
  assert.deepEqual(readInterfaces(failing), [])
})

test('the kind of an interface is looked up once, and again when it comes back', () => {
  let present = ['eth0', 'lan']
  const lookups: string[] = []
  const isBridge = (name: string) => lookups.push(name) > 0 && name === 'lan'
  const read = interfaceReader(() => Object.fromEntries(present.map((name) => [name, [info('10.0.0.1')]])), isBridge)
  read()
  const kinds = read().map(({ name, isBridge: found }) => `${name} ${found}`)
  assert.deepEqual(kinds, ['eth0 false', 'lan true'])
  assert.deepEqual(lookups, ['eth0', 'lan'])
  present = ['eth0']
  read()
  present = ['eth0', 'lan']
  read()
  assert.deepEqual(lookups, ['eth0', 'lan', 'lan'])
})

test('the source address towards loopback is loopback; a name or a missing route has none', async () => {
  const owner = new Owner('t', systemClock)
  assert.equal(await sourceAddress('127.0.0.1', owner), '127.0.0.1')
  assert.equal(await sourceAddress('example.invalid', owner), undefined)
  assert.equal(await sourceAddress('fe80::1', owner), undefined)
  assert.equal(defaultRouteTargets.length, 2)
  await owner.close()
  assert.deepEqual(owner.inventory().resources, [])
})

test('an owner that closes ends running lookups, and starts no new ones', async () => {
  const owner = new Owner('t', systemClock)
  const lookup = sourceAddress('127.0.0.1', owner)
  assert.equal(owner.inventory().resources.length, 2)
  await owner.close()
  assert.equal(await lookup, undefined)
  assert.deepEqual(owner.inventory().resources, [])
  assert.equal(await sourceAddress('127.0.0.1', owner), undefined)
})
