import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { median } from 'simple-statistics'
import { usageOf } from '../../lab/process-usage.ts'
import { Subprocess } from '../../processes/subprocess.ts'
import { buildTestPackage } from '../../testing/built-package.ts'
import { startReceiver } from '../../testing/otlp/otlp-receiver.ts'
import { endToEnd } from '../end-to-end.ts'
import { atLeast, atMost } from '../proof.ts'
import { plainEnvironment } from '../shell.ts'

const program = fileURLToPath(new URL('./idle-app.js', import.meta.url))
const [startMs, idleMs, stopMs] = [60_000, 20_000, 10_000]
const rounds = 3
/** Memory that the mesh may add to an application, MiB resident. */
const maxAddedMb = 12

export const proof = endToEnd({
  name: 'kit-memory',
  about:
    'an idle js-libp2p application beside itself with the published kit: what the mesh adds to its resident memory, with spans exported and without',
  quick: false,
  seconds: 80,
  async run({ progress, signal }) {
    await using built = await buildTestPackage()
    const receiver = await startReceiver()
    try {
      const kit = { MESH_KIT: pathToFileURL(`${built.directory}/dist/kit/index.js`).href }
      const sides = { without: {}, off: kit, exporting: { ...kit, MESH_OTLP: receiver.endpoint } }
      const samples: { [Side in keyof typeof sides]: number }[] = []
      for (let round = 1; round <= rounds; round++) {
        progress(`round ${round} of ${rounds}`)
        // At the same time, since the load of the machine changes between windows.
        const [without, off, exporting] = await Promise.all(
          [sides.without, sides.off, sides.exporting].map((env) => idleMebibytes(env, signal)),
        )
        samples.push({ without: without ?? Number.NaN, off: off ?? Number.NaN, exporting: exporting ?? Number.NaN })
      }
      const of = (side: keyof typeof sides) => median(samples.map((round) => round[side]))
      return {
        figures: { idleMs, mebibytes: samples, without: of('without'), spans: receiver.spans.length },
        checks: [
          atMost('the mesh adds, with spans exported', maxAddedMb, of('exporting') - of('without'), 'MiB'),
          atMost('the mesh adds, with telemetry off', maxAddedMb, of('off') - of('without'), 'MiB'),
          atLeast('spans that arrived', rounds, receiver.spans.length),
        ],
      }
    } finally {
      await receiver.close()
    }
  },
})

/** Resident memory of an application after `idleMs`. */
async function idleMebibytes(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<number> {
  const listening = Promise.withResolvers<string>()
  const child = new Subprocess({
    name: 'the application',
    command: [process.execPath, program],
    env: { ...plainEnvironment(), ...env },
    onLine: listening.resolve,
  })
  try {
    assert.equal(await child.ready(listening.promise, startMs, signal), 'listening')
    await sleep(idleMs, undefined, { signal })
    return (await usageOf(child.pid))?.rssMb ?? Number.NaN
  } finally {
    await child.stop(stopMs)
  }
}
