/** Spans that a store should have, and has. */
export interface StoredSpans {
  readonly documents: number
  readonly missing: number
  readonly duplicates: number
}

interface Tag {
  readonly key: string
  readonly value: unknown
}

interface Page {
  readonly _scroll_id: string
  readonly hits: {
    readonly hits: readonly { readonly _source: { readonly tags: Tag[]; readonly process: { tags: Tag[] } } }[]
  }
}

const indices = 'mesh-jaeger-span-*'
const perPage = 5_000
const timeoutMs = 30_000
/** Merging all segments of an index reads and writes all of it. */
const mergeMs = 300_000

/** Requests to the HTTP API of OpenSearch at `url`. */
export function openSearchApi(url: string) {
  const request = async <T>(method: string, path: string, body?: object, ms = timeoutMs): Promise<T> => {
    const response = await fetch(`${url}${path}`, {
      method,
      signal: AbortSignal.timeout(ms),
      ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`)
    return (await response.json()) as T
  }
  return {
    request,
    /** `green`, `yellow` or `red`. */
    health: async () => (await request<{ status: string }>('GET', '/_cluster/health')).status,
    documents: async () => {
      await request('POST', `/${indices}/_refresh`)
      return (await request<{ count: number }>('GET', `/${indices}/_count`)).count
    },
    /** Bytes of one copy, after all segments of an index are merged. */
    storedBytes: async () => {
      await request('POST', `/${indices}/_forcemerge?max_num_segments=1`, undefined, mergeMs)
      const stats = await request<{ _all: { primaries: { store: { size_in_bytes: number } } } }>(
        'GET',
        `/${indices}/_stats/store`,
      )
      return stats._all.primaries.store.size_in_bytes
    },
    setCluster: (settings: Readonly<Record<string, string | null>>) =>
      request('PUT', '/_cluster/settings', { persistent: settings }),
    /** Whether an index refuses writes, as from the flood stage on. */
    isBlocked: async () =>
      JSON.stringify(await request('GET', `/${indices}/_settings`)).includes('"read_only_allow_delete":"true"'),
    blockWrites: (isBlocked: boolean) =>
      request('PUT', `/${indices}/_settings`, { 'index.blocks.read_only_allow_delete': isBlocked ? true : null }),
    /** Compares the spans with the last `mesh.seq` of each `service.instance.id`. */
    account: async (emitted: ReadonlyMap<string, number>): Promise<StoredSpans> => {
      const stored = new Map<string, Set<number>>([...emitted.keys()].map((instance) => [instance, new Set()]))
      let documents = 0
      let page = await request<Page>('POST', `/${indices}/_search?scroll=1m`, {
        size: perPage,
        _source: ['tags', 'process.tags'],
      })
      while (page.hits.hits.length > 0) {
        for (const { _source: source } of page.hits.hits) {
          const seq = Number(source.tags.find(({ key }) => key === 'mesh.seq')?.value)
          const instance = source.process.tags.find(({ key }) => key === 'service.instance.id')?.value
          stored.get(String(instance))?.add(seq)
          documents++
        }
        page = await request<Page>('POST', '/_search/scroll', { scroll: '1m', scroll_id: page._scroll_id })
      }
      const emittedCount = [...emitted.values()].reduce((sum, last) => sum + last, 0)
      const distinct = [...stored.values()].reduce((sum, numbers) => sum + numbers.size, 0)
      return { documents, missing: emittedCount - distinct, duplicates: documents - distinct }
    },
  }
}
