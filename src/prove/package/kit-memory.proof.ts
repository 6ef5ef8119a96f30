import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as passed } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { median } from 'simple-statistics'
import { usageOf } from '../../lab/usage.ts'
import { buildTestPackage } from '../../testing/built-package.ts'
import { startReceiver } from '../../testing/otlp-receiver.ts'
import { atLeast, atMost, type Proof } from '../proof.ts'
import { plainEnvironment } from '../shell.ts'

const program = fileURLToPath(new URL('./idle-app.js', import.meta.url))
const idleMs = 20_000
const rounds = 3
/** What the mesh may add to the resident memory of an application, MiB. */
const addedMost = 12

export const proof: Proof = {
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
      const seen: { [Side in keyof typeof sides]: number }[] = []
      for (let round = 1; round <= rounds; round++) {
        progress(`round ${round} of ${rounds}`)
        // All at once, since a window of its own for each would be another machine.
        const [without, off, exporting] = await Promise.all(
          [sides.without, sides.off, sides.exporting].map((env) => idleMebibytes(env, signal)),
        )
        seen.push({ without: without ?? Number.NaN, off: off ?? Number.NaN, exporting: exporting ?? Number.NaN })
      }
      const of = (side: keyof typeof sides) => median(seen.map((round) => round[side]))
      return {
        figures: { idleMs, mebibytes: seen, without: of('without'), spans: receiver.spans.length },
        checks: [
          atMost('the mesh adds, with spans exported', addedMost, of('exporting') - of('without'), 'MiB'),
          atMost('the mesh adds, with telemetry off', addedMost, of('off') - of('without'), 'MiB'),
          atLeast('spans that arrived', rounds, receiver.spans.length),
        ],
      }
    } finally {
      await receiver.close()
    }
  },
}

/** Resident memory of an application that has idled. */
async function idleMebibytes(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<number> {
  const child = spawn(process.execPath, [program], {
    env: { ...plainEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  try {
    const listening = once(createInterface({ input: child.stdout }), 'line', { signal })
    const [first] = await Promise.race([listening, ended])
    if (first !== 'listening') throw new Error(`the application ended: ${String(first)}`)
    await passed(idleMs, undefined, { signal })
    return (await usageOf(child.pid ?? 0))?.rssMb ?? Number.NaN
  } finally {
    child.kill()
    await ended
  }
}
