import { mkdir, mkdtempDisposable, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { overlayNodes, renderSizes } from '../../stack/clustered-sizes.ts'
import { checkKustomization, type KustomizationCheck } from './k8s-objects.ts'

const k8s = fileURLToPath(new URL('../../../deploy/k8s', import.meta.url))

/** What an operator chooses in `kustomization.yaml`; the README permits every combination. */
export interface K8sChoice {
  readonly store: 'single' | 'clustered'
  readonly alerting: 'alerts' | 'operator'
  readonly collectors: 'one' | 'per-mesh'
}

export interface K8sVariant extends K8sChoice, KustomizationCheck {
  /** Nodes that the sizes of the clustered store are for. */
  readonly sizedFor: number
}

const choices: readonly K8sChoice[] = (['single', 'clustered'] as const).flatMap((store) =>
  (['alerts', 'operator'] as const).flatMap((alerting) =>
    (['one', 'per-mesh'] as const).map((collectors) => ({ store, alerting, collectors })),
  ),
)

/** Nodes of an edited `sizes.env`, which need more of everything. */
const editedNodes = 1_000
const isShipped = ({ alerting, collectors }: K8sChoice) => alerting === 'alerts' && collectors === 'one'

/** All combinations; those with a Collector for each mesh and `alerts` have `grafana`, too. */
export async function k8sVariants(program: string): Promise<readonly K8sVariant[]> {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'tracemesh-k8s-'))
  return await Promise.all(
    choices.map(async (choice) => {
      const directory = await overlayOf(choice, folder.path)
      const sizedFor = isShipped(choice) ? overlayNodes : editedNodes
      return { ...choice, sizedFor, ...(await checkKustomization(program, directory)) }
    }),
  )
}

/** The directory of the overlay: the shipped one, or a copy with the lines of this choice edited. */
async function overlayOf(choice: K8sChoice, folder: string): Promise<string> {
  const { store, alerting, collectors } = choice
  const shipped = store === 'single' ? k8s : join(k8s, store)
  if (isShipped(choice)) return shipped
  const directory = join(folder, `${store}-${alerting}-${collectors}`)
  await mkdir(directory)
  let text = await readFile(join(shipped, 'kustomization.yaml'), 'utf8')
  if (alerting === 'operator') text = edited(text, /^( {2}- (?:\.\.\/)?)alerts # or \S+$/m, '$1operator')
  if (collectors === 'per-mesh') text = edited(text, /^ {2}# (- \S*collector-per-mesh)$/m, '  $1')
  if (collectors === 'per-mesh' && alerting === 'alerts') text = edited(text, /^ {2}# (- \S*grafana)$/m, '  $1')
  // Directories are relative to the overlay, and its files lie beside it.
  text = edited(text, /^ {2}- ([\w./-]+)(?= #|$)/gm, (_, name) => `  - ${relative(directory, join(shipped, name))}`)
  await writeFile(join(directory, 'kustomization.yaml'), text)
  if (store === 'clustered') await writeFile(join(directory, 'sizes.env'), renderSizes(editedNodes))
  return directory
}

function edited(text: string, line: RegExp, by: string | ((line: string, name: string) => string)): string {
  const result = typeof by === 'string' ? text.replace(line, by) : text.replace(line, by)
  if (result === text) throw new Error(`no line of the overlay matches ${line}`)
  return result
}
