import type { Page } from 'playwright-core'

/**
 * Starts counting the CPU time of a page's main thread; the returned function returns it in milliseconds per second, of
 * all tasks and of scripts only.
 */
export async function mainThread(page: Page) {
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  const sample = async () => {
    const { metrics } = await session.send('Performance.getMetrics')
    const seconds = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? Number.NaN
    return { task: seconds('TaskDuration'), script: seconds('ScriptDuration'), at: performance.now() }
  }
  const before = await sample()
  return async () => {
    const after = await sample()
    const perS = (seconds: number) => (seconds * 1_000_000) / (after.at - before.at)
    return { cpuMsPerS: perS(after.task - before.task), scriptMsPerS: perS(after.script - before.script) }
  }
}
