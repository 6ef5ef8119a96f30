import { until } from '../../processes/waiting.ts'
import { startLabProcess, startStoreProcess } from '../../testing/cluster/command-process.ts'
import type { RecordedGroup } from './span-file.ts'

const minuteMs = 60_000
const searchLimit = 20_000

/** What one run of a lab left: a store with its spans, which runs on, and the spans as OTLP's JSON by process. */
export interface RecordedLab extends AsyncDisposable {
  readonly queryUrl: string
  readonly groups: readonly RecordedGroup[]
  readonly fromMs: number
  readonly toMs: number
}

/** Runs a lab of one mesh for some minutes, and stops it; its store stays. */
export async function recordLab(file: string, minutes: number, signal: AbortSignal, nodes = 6): Promise<RecordedLab> {
  const store = await startStoreProcess(file)
  const fromMs = Date.now()
  try {
    const flags = ['--nodes', `${nodes}`, '--meshes', '1', '--otlp', store.otlpUrl, '--query', store.queryUrl]
    await using lab = await startLabProcess(...flags)
    const isOver = async () => signal.aborted || Date.now() - fromMs > minutes * minuteMs
    await until(isOver, (minutes + 1) * minuteMs, 'the lab has run')
    await lab.stop()
  } catch (error) {
    await store.process.stop()
    throw error
  }
  const toMs = Date.now()
  return {
    queryUrl: store.queryUrl,
    groups: await groupsOf(store.queryUrl, fromMs, toMs),
    fromMs,
    toMs,
    [Symbol.asyncDispose]: async () => void (await store.process.stop()),
  }
}

/** All spans of the store, each once, by process. */
async function groupsOf(url: string, fromMs: number, toMs: number): Promise<RecordedGroup[]> {
  const { services = [] } = (await (await fetch(`${url}/api/v3/services`)).json()) as { services?: string[] }
  const groups: RecordedGroup[] = []
  for (const service of services) {
    const times = `query.start_time_min=${isoOf(fromMs)}&query.start_time_max=${isoOf(toMs)}`
    const query = `query.service_name=${service}&${times}&query.num_traces=${searchLimit}`
    const { result } = (await (await fetch(`${url}/api/v3/traces?${query}`)).json()) as {
      result: { resourceSpans: RecordedGroup[] }
    }
    groups.push(...result.resourceSpans)
  }
  return [...Map.groupBy(groups, ({ resource }) => JSON.stringify(resource)).values()].flatMap(([first, ...rest]) => {
    if (first === undefined) return []
    const [scope] = first.scopeSpans
    const spans = [first, ...rest].flatMap(({ scopeSpans }) => scopeSpans.flatMap((part) => part.spans))
    return [{ ...first, scopeSpans: [{ ...scope, spans }] }]
  })
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString()
}
