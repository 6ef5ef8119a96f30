import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { callsLimit, callsLimitFor } from '../catalogue/span-counts.ts'
import { leakCheck } from '../testing/leak-check.ts'
import {
  bytesPerSpan,
  clusteredSizes,
  otherQueueItems,
  renderSizes,
  seriesSizes,
  sizesPage,
} from './clustered-sizes.ts'

leakCheck()

test('sizes: the volumes hold what arrives in eight days in two copies, and the queue six hours', () => {
  for (const nodes of [1, 18, 100, 1_000, 10_000]) {
    const { rate, storeNodes, storeVolumeGib, queueItems, archiveFiles, ...volumes } = clusteredSizes(nodes)
    const stored = rate * 86_400 * 8 * 2 * bytesPerSpan.openSearch
    const store = storeNodes * storeVolumeGib * 2 ** 30
    assert.ok(store * 0.76 > stored, `${nodes} nodes: ${store} bytes for ${stored}`)
    assert.ok(storeNodes >= 3 && storeVolumeGib <= 500)
    assert.ok(queueItems >= rate * 6 * 3_600)
    assert.ok(volumes.archiveVolumeGib * 2 ** 30 > (archiveFiles + 1) * 100 * 2 ** 20)
    assert.ok(volumes.queueVolumeGib * 2 ** 30 > 2 * (queueItems + otherQueueItems) * bytesPerSpan.queue)
  }
})

test('sizes: a mesh of every number of nodes has the series that --nodes gives it, and a Collector has at most 2,000 nodes', () => {
  for (const nodes of [1, 250, 251, 1_000, 2_000]) {
    const { callsLimit: limit, collector, prometheus } = seriesSizes(nodes) ?? assert.fail()
    assert.ok(limit >= callsLimitFor(nodes) && limit >= callsLimit)
    // Of 1,000 nodes the Collector takes 230 MiB when its limit is full; its memory limiter refuses beyond 55 %.
    assert.ok(collector * 0.55 > nodes * 0.23 && prometheus > nodes * 0.6 && prometheus >= collector)
    const names = ['CALLS_LIMIT', 'COLLECTOR_MEMORY', 'PROMETHEUS_MEMORY']
    for (const name of names) assert.match(renderSizes(nodes), new RegExp(`^${name}=\\d+(Mi)?$`, 'm'))
  }
  assert.equal(seriesSizes(2_001), undefined)
  assert.throws(() => renderSizes(2_001), /2001 nodes are too many for one Collector/)
})

test('the manifests run the release of OpenSearch that the proofs run', async () => {
  const read = (path: string) => readFile(new URL(`../../deploy/${path}`, import.meta.url), 'utf8')
  const [tag] = /newTag: [\d.]+/.exec(await read('k8s/opensearch/kustomization.yaml')) ?? []
  const [version] = /opensearch_version=[\d.]+/.exec(await read('offline/versions.sh')) ?? []
  assert.equal(tag?.replace('newTag: ', ''), version?.replace('opensearch_version=', ''))
})

test('sizes.env has the sizes of a row of the README', async () => {
  const [env, readme] = await Promise.all([sizesPage.env, sizesPage.readme].map((file) => readFile(file, 'utf8')))
  for (const [, name, value] of (env ?? '').matchAll(/^(\w+)=(\S+)$/gm))
    assert.match(readme ?? '', new RegExp(`^\\| \`${name}\`.*\\| ${value} \\|`, 'm'))
})
