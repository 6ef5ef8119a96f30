import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type NodeProcess, startCluster } from '../../testing/cluster/cluster.ts'
import { isOnPath } from '../../testing/requirement.ts'
import { endToEnd } from '../end-to-end.ts'
import { atLeast, type Check, equals, type ProofContext, unrun } from '../proof.ts'
import { root, sh } from '../shell.ts'
import { chattyNode, waitForExchange } from './chat.ts'
import { startMesh } from './mesh.ts'

/** From the start of the first profile to that of the second. */
const apartMs = 60_000
const profileSeconds = 15
/** Of the first profile: the leak begins after it. */
const kinds = { heap: 'inuse_space', allocs: 'alloc_space' } as const

const about = 'two heap profiles of a node, 60 s apart, and `go tool pprof -base` shows what it keeps since the first'
const want = 'frames of this project'

export const proof = endToEnd({
  name: 'pprof-base',
  about,
  quick: false,
  seconds: 120,
  async run(context) {
    if (!isOnPath('go')) return unrun(context, about, want, 'needs go on PATH')
    await using directory = await mkdtempDisposable(join(tmpdir(), 'pprof-base-'))
    await takeProfiles(directory.path, context)
    return await compareProfiles(directory.path, context)
  },
})

async function takeProfiles(directory: string, { progress, signal }: ProofContext): Promise<void> {
  await using cluster = await startCluster({ receiver: 'none', env: { MESH_PPROF: '127.0.0.1:0' } })
  const [seed, ...others] = await startMesh(cluster, 2, chattyNode(cluster))
  const [node] = others
  if (node === undefined) throw new Error('the mesh has no second node')
  await waitForExchange(node, [seed], Date.now(), 30_000)
  const began = Date.now()
  progress('the first profiles of a node with two messages a second to and from each of two others')
  await fetchProfiles(node, directory, 'a', signal)
  node.kill('SIGUSR2')
  progress('it begins to leak; waiting')
  await sleep(Math.max(0, began + apartMs - Date.now()), undefined, { signal })
  await fetchProfiles(node, directory, 'b', signal)
}

async function fetchProfiles(node: NodeProcess, directory: string, name: string, signal: AbortSignal): Promise<void> {
  const url = String(node.log.find(({ msg }) => msg === 'listening')?.['pprof'])
  for (const kind of Object.keys(kinds)) {
    const answer = await fetch(`${url}/debug/pprof/${kind}?seconds=${profileSeconds}`, { signal })
    if (!answer.ok) throw new Error(`${kind}: ${answer.status} ${await answer.text()}`)
    await writeFile(join(directory, `${kind}-${name}.pb.gz`), await answer.bytes())
  }
}

async function compareProfiles(directory: string, { signal }: ProofContext) {
  const compare = async (kind: keyof typeof kinds, base: string, other: string) => {
    const command = `go tool pprof -top -lines -sample_index=${kinds[kind]} -base ${kind}-${base}.pb.gz ${kind}-${other}.pb.gz`
    const { code, output } = await sh(command, directory, process.env, signal)
    const rows = output.split('\n').filter((line) => line.includes(root))
    return { command, code, frames: rows.map((row) => row.trim().replaceAll(`${root}/`, '')) }
  }
  const heap = await compare('heap', 'a', 'b')
  const allocs = await compare('allocs', 'a', 'b')
  const same = await compare('heap', 'a', 'a')
  const isOwn = (frame: string) => / src\/(?!testing\/)/.test(frame)
  const checks: Check[] = [
    equals('exit codes of go tool pprof', '0 0 0', [heap, allocs, same].map(({ code }) => code).join(' ')),
    atLeast('heap: frames of this project', 1, heap.frames.filter(isOwn).length),
    atLeast('allocation space: frames of this project', 1, allocs.frames.filter(isOwn).length),
    equals('heap: the first frame is that of the leak', true, heap.frames[0]?.includes('chatty-node.ts') === true),
    equals('heap, with itself as the base: frames', 0, same.frames.length),
  ]
  const shown = ({ command, frames }: typeof heap) => ({ command, frames: frames.slice(0, 12) })
  return { figures: { heap: shown(heap), allocs: shown(allocs), itself: shown(same) }, checks }
}
