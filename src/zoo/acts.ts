import { setTimeout as sleep } from 'node:timers/promises'
import { Subprocess } from '../processes/subprocess.ts'
import type { RunningScene } from './run-scene.ts'
import type { Act, Scene } from './scene.ts'

/** Does what happens to processes from the plant on, until the scene ends. */
export async function perform(act: Act, scene: Scene, running: RunningScene): Promise<void> {
  const { signal } = running
  const pause = (ms: number) => sleep(ms, undefined, { signal }).catch(() => {})
  const find = (name: string) => {
    const node = running.cluster.nodes().find((one) => one.name === name)
    if (node === undefined) throw new Error(`${name} does not run`)
    return node
  }
  switch (act.do) {
    case 'kill':
      find(act.node).kill()
      break
    case 'restart': {
      await pause(act.afterMs)
      if (signal.aborted) break
      await find(act.node).stop()
      const node = scene.nodes.find(({ name }) => name === act.node)
      if (node !== undefined && !signal.aborted) await running.start(node)
      break
    }
    case 'suspend':
      while (!signal.aborted) {
        find(act.node).pause()
        await pause(act.ms)
        find(act.node).resume()
        await pause(act.everyMs - act.ms)
      }
      break
    case 'crowd':
      await running.startGuests('crowd', Math.ceil(act.count / 2), { GUESTS: String(act.count), GUEST_MS: '20000' })
      break
    case 'overload':
      await overload(act.count, signal)
  }
}

/** As many processes that only spin, at the same priority as the nodes. */
async function overload(count: number, signal: AbortSignal): Promise<void> {
  const command = [process.execPath, '-e', 'for (;;);']
  const spinning = Array.from({ length: count }, (_, index) => new Subprocess({ name: `spin ${index}`, command }))
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  await Promise.all(spinning.map((one) => one.stop(0, 'SIGKILL')))
}
