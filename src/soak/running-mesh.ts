import * as z from 'zod'
import { errorMessage, MeshError } from '../core/errors.ts'
import { labTopic } from '../lab/plan.ts'
import { makeWorkspace } from '../lab/workspace.ts'
import type { SoakOptions } from './flags.ts'
import type { SoakTarget } from './target.ts'

const answerMs = 10_000
/** Members that gave no topic talk on one of their own. */
const ownTopic = 'soak'
/** Id of a mesh whose nodes have no `MESH_ID`. */
const defaultMesh = 'mesh-a'

type Options = Pick<SoakOptions, 'seeds' | 'mesh' | 'topic' | 'otlp'> & { readonly against: string }

/** A mesh that runs already: by the page of its lab, or by addresses and the trace store of its nodes. */
export async function findRunningMesh(options: Options): Promise<SoakTarget> {
  const found = options.seeds === undefined ? await readPage(options) : withSeeds(options, options.seeds)
  const workspace = await makeWorkspace()
  return {
    ...found,
    traces: options.against,
    otlp: options.otlp,
    entry: workspace.entry,
    collectGarbage: async () => {},
    close: async () => {
      workspace.remove()
      return []
    },
  }
}

type Found = Pick<SoakTarget, 'what' | 'mesh' | 'addresses' | 'topic' | 'hasListeners'>

function withSeeds({ mesh = defaultMesh, topic }: Options, seeds: readonly string[]): Found {
  const what = `mesh ${mesh} at ${seeds.length} seeds`
  return { what, mesh, addresses: seeds, topic: topic ?? ownTopic, hasListeners: topic !== undefined }
}

/** The part of `/api/mesh` that a soak needs. */
const viewSchema = z.object({
  title: z.string(),
  traces: z.boolean(),
  nodes: z.array(
    z.object({
      meshes: z.array(z.string()),
      state: z.string(),
      addresses: z.array(z.string()),
      topics: z.array(z.string()),
    }),
  ),
})

async function readPage({ against, mesh, topic }: Options): Promise<Found> {
  const view = await readView(against)
  if (!view.traces) throw invalid(against, 'the page of a lab with a trace store')
  const meshes = [...new Set(view.nodes.flatMap((node) => node.meshes.slice(0, 1)))].sort()
  const chosen = mesh ?? meshes[0] ?? ''
  if (!meshes.includes(chosen)) throw new MeshError('MESH_LAB_UNKNOWN', { name: chosen, known: meshes.join(' ') })
  const running = view.nodes.filter(({ state, meshes: own }) => state === 'running' && own[0] === chosen)
  const addresses = running.flatMap((node) => node.addresses.slice(0, 1))
  if (addresses.length === 0) throw invalid(against, `the page of a lab with running nodes in ${chosen}`)
  return { what: `${chosen} of ${view.title}`, mesh: chosen, addresses, topic: topic ?? labTopic, hasListeners: true }
}

async function readView(url: string): Promise<z.output<typeof viewSchema>> {
  const answer = await fetch(`${url}/api/mesh`, { signal: AbortSignal.timeout(answerMs) }).catch((error: unknown) => {
    const { cause } = error as { cause?: unknown }
    throw new MeshError('MESH_TRACES_UNREACHABLE', { url, cause: errorMessage(cause ?? error) })
  })
  const view = viewSchema.safeParse(await answer.json().catch(() => undefined))
  if (!view.success) throw invalid(url, 'the page of a lab; the URL of a trace store needs --seed, too')
  return view.data
}

function invalid(given: string, expected: string): MeshError {
  return new MeshError('MESH_CONFIG_INVALID', { key: '--against', given, expected })
}
