import { pageAssets } from '../../page/assets.ts'
import { chromiumPath, launchBrowser } from '../../testing/page/browser.ts'
import { endToEnd } from '../end-to-end.ts'
import { pictures } from '../pictures.ts'
import { atMost, type Check, equals, type ProofContext, type ProofResult } from '../proof.ts'
import { type Frames, watchFrames } from './page-frames.ts'
import { type LabPage, walkLabPage } from './page-lab.ts'

/**
 * Milliseconds. A frame may be two frames later than on an empty page: three in a row are a visible stutter. A pause
 * may be 150 longer than the longest of an empty page. When an empty page pauses for more than 100, the machine is
 * busy, and the smoothness of another page cannot be measured. The main thread may be busy for a third of the time.
 */
const limits = {
  build: 3_000,
  firstPaint: 1_000,
  shown: 5_000,
  lateFrame: 34,
  longest: 150,
  emptyLongest: 100,
  busy: 330,
}

/** `TRACEMESH_PICTURES=src/page/pictures npm run prove -- page` makes the pictures of the README. */
export const proof = endToEnd({
  name: 'page',
  about:
    'the page of a lab paints within a second, draws 60 nodes without stutter, shows a killed node’s expiry within 5 s and leads to its trace, with nothing in the console',
  quick: false,
  seconds: 160,
  async run({ progress }: ProofContext): Promise<ProofResult> {
    if (chromiumPath === undefined) {
      const what = 'a Chromium on this machine (TRACEMESH_CHROMIUM names one)'
      return { figures: {}, checks: [{ what, want: 'found', got: 'none', holds: 'not shown' }] }
    }
    const began = performance.now()
    const assets = await pageAssets()
    const buildMs = performance.now() - began
    const bytes = assets.reduce((sum, { gzipped }) => sum + gzipped.length, 0)
    const { directory, sizes, save, sizeCheck } = pictures()
    const browser = await launchBrowser()
    try {
      progress('60 nodes, of which one dies or returns each second')
      const frames = await watchFrames(browser)
      const lab = await walkLabPage(browser, save, progress)
      const checks = [atMost('building it', limits.build, buildMs, 'ms'), ...frameChecks(frames), ...labChecks(lab)]
      return { figures: { buildMs, bytes, frames, lab, pictures: directory, sizes }, checks: [...checks, sizeCheck()] }
    } finally {
      await browser.close()
    }
  },
})

function frameChecks({ nodes, live, empty, cpuMsPerS, complaints }: Frames): Check[] {
  const late = live.p95 - empty.p95
  const smooth = [
    atMost(`frames of ${nodes} live nodes, 95th percentile, above an empty page’s`, limits.lateFrame, late, 'ms'),
    atMost('the longest pause, above an empty page’s', limits.longest, live.longest - empty.longest, 'ms'),
  ]
  const busy = empty.longest > limits.emptyLongest
  return [
    ...smooth.map((check) => (busy && check.holds === false ? { ...check, holds: 'not shown' as const } : check)),
    atMost('CPU of the main thread meanwhile', limits.busy, cpuMsPerS, 'ms/s'),
    equals('complaints in the console, 60 nodes', '', complaints.join(' | ')),
  ]
}

function labChecks({ firstPaintMs, drawnMs, expiries, traceExplains, complaints, exitCode }: LabPage): Check[] {
  const latest = Math.max(...expiries.map(({ lateMs }) => lateMs))
  return [
    atMost('first paint on the lab, its heading', limits.firstPaint, firstPaintMs, 'ms'),
    atMost('all nodes drawn', 2 * limits.firstPaint, drawnMs, 'ms'),
    atMost('an expiry is on the page', limits.shown, latest, 'ms'),
    equals('the trace of the expiry names the node', true, traceExplains),
    equals('complaints in the console, lab', '', complaints.join(' | ')),
    equals('exit code of the lab', 0, exitCode ?? -1),
  ]
}
