import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Identify, identify } from '@libp2p/identify'
import { type Connection, serviceCapabilities, serviceDependencies } from '@libp2p/interface'
import { createLibp2p } from 'libp2p'
import { leakCheck } from '../testing/leak-check.ts'
import { recordingTelemetry } from '../testing/otlp/recording-telemetry.ts'
import { loopbackSettings } from '../testing/suite/mesh-app.ts'
import type { InternalInit } from './init.ts'
import { tracemeshInternal } from './service.ts'

leakCheck()

type Services = Record<string, (components: never) => unknown>

/** Creates and starts an application with these services beside the mesh. */
async function start(services: Services, init: InternalInit = {}) {
  const mesh = tracemeshInternal({ telemetry: recordingTelemetry().telemetry, ...init })
  const libp2p = await createLibp2p({ ...(await loopbackSettings()), services: { ...services, tracemesh: mesh } })
  try {
    await libp2p.start()
    return libp2p.services.tracemesh
  } finally {
    await libp2p.stop()
  }
}

describe('libp2p checks the services at creation', () => {
  test('without identify: libp2p refuses to create the node, and names the mesh and the capability', async () => {
    await assert.rejects(start({}), {
      name: 'UnmetServiceDependenciesError',
      message: /"tracemesh" required capability "@libp2p\/identify"/,
    })
  })

  test('identify under another name, with `services.identify`: the node starts', async () => {
    await start({ whoami: identify() as Services[string] }, { services: { identify: 'whoami' } })
  })

  test('identify under another name, without `services.identify`: the start fails with the remedy', async () => {
    await assert.rejects(start({ whoami: identify() as Services[string] }), {
      code: 'MESH_SERVICE_MISSING',
      message: /set `services\.identify`/,
    })
  })

  test('an identify service of the application that declares no capability: the node starts', async () => {
    const wrapped = (components: never) => {
      const inner = identify()(components) as Identify
      return { identify: (connection: Connection) => inner.identify(connection) }
    }
    await start({ identify: wrapped })
  })

  test('another service may depend on the mesh', async () => {
    const dependant = () => ({ [serviceDependencies]: ['@tracemesh/mesh'] })
    const mesh = await start({ identify: identify() as Services[string], dependant })
    assert.deepEqual(mesh[serviceCapabilities], ['@tracemesh/mesh'])
    const alone = createLibp2p({ ...(await loopbackSettings()), services: { identify: identify(), dependant } })
    await assert.rejects(alone, { name: 'UnmetServiceDependenciesError' })
  })
})
