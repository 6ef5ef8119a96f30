import { access, constants, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, isAbsolute, join } from 'node:path'

/** What is built, and compared with. */
export const jaegerVersion = '2.13.0'

/** Programs of the stack, and the checkers that come with them. */
export const stackBinaries = [
  'jaeger',
  'otelcol-contrib',
  'prometheus',
  'promtool',
  'alertmanager',
  'amtool',
  'k8s-check',
] as const
export type StackBinary = (typeof stackBinaries)[number]

export type Binary = { readonly path: string } | { readonly missing: string }

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Where a program of the stack is: in `bin` of the directory that `TRACEMESH_STACK` names (`~/.cache/tracemesh/stack`
 * unless it is set), where `deploy/offline.sh binaries` puts it, or else on the `PATH`. `TRACEMESH_JAEGER` names a
 * Jaeger of one's own. What was named and is not there is missing, whatever else there is.
 */
export async function stackBinary(name: StackBinary, env: Environment = process.env): Promise<Binary> {
  const override = name === 'jaeger' ? env['TRACEMESH_JAEGER'] : undefined
  if (override !== undefined && override !== '')
    return (await isExecutable(override))
      ? { path: override }
      : { missing: `TRACEMESH_JAEGER names ${override}, which cannot run` }
  const cure = `deploy/offline.sh ${name === 'k8s-check' ? 'k8s' : 'binaries'} builds it`
  const stack = env['TRACEMESH_STACK']
  const built = join(stack || join(env['HOME'] || homedir(), '.cache/tracemesh/stack'), 'bin', name)
  if (await isExecutable(built)) return { path: built }
  if (stack) return { missing: `TRACEMESH_STACK is ${stack}, and ${built} cannot run; ${cure}` }
  for (const directory of (env['PATH'] ?? '').split(delimiter)) {
    const path = join(directory, name)
    if (isAbsolute(directory) && (await isExecutable(path))) return { path }
  }
  return { missing: `${name} is neither ${built} nor on the PATH; ${cure}` }
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}
