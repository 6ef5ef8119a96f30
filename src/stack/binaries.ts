import { access, constants, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, isAbsolute, join } from 'node:path'

/** Version of Jaeger to build and test with. */
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
 * Finds a program of the stack: in `bin` of the directory `TRACEMESH_STACK` (default `~/.cache/tracemesh/stack`), where
 * `deploy/offline.sh binaries` puts it, or else on the `PATH`. `TRACEMESH_JAEGER` is the path of another Jaeger. There
 * is no fallback from a variable that is set: if it does not lead to a program, the program is missing.
 */
export async function stackBinary(name: StackBinary, env: Environment = process.env): Promise<Binary> {
  const override = name === 'jaeger' ? env['TRACEMESH_JAEGER'] : undefined
  if (override !== undefined && override !== '')
    return (await isExecutable(override))
      ? { path: override }
      : { missing: `TRACEMESH_JAEGER names ${override}, which is not executable` }
  const cure = `deploy/offline.sh ${name === 'k8s-check' ? 'k8s' : 'binaries'} builds it`
  const stack = env['TRACEMESH_STACK']
  const built = join(stackDirectory(env), 'bin', name)
  if (await isExecutable(built)) return { path: built }
  if (stack) return { missing: `TRACEMESH_STACK is ${stack}, but ${built} is not executable; ${cure}` }
  for (const directory of (env['PATH'] ?? '').split(delimiter)) {
    const path = join(directory, name)
    if (isAbsolute(directory) && (await isExecutable(path))) return { path }
  }
  return { missing: `${name} is neither ${built} nor on the PATH; ${cure}` }
}

/** Cache of `deploy/offline.sh`. */
export function stackDirectory(env: Environment = process.env): string {
  return env['TRACEMESH_STACK'] || join(env['HOME'] || homedir(), '.cache/tracemesh/stack')
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}
