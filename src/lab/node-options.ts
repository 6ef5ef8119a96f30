import { MeshError } from '../core/errors.ts'
import type { Fault } from '../kit/faults.ts'

/** Faults of one node of a lab. */
export interface NodeFaults {
  readonly node: string
  readonly faults: readonly Fault[]
}

/** A program that takes the command line of `tracemesh node`, in its place. */
export interface NodeProgram {
  /** Path of a module. */
  readonly entry: string
  /** Further arguments of a node, and settings in its environment. */
  args(name: string): readonly string[]
  env(name: string): Readonly<Record<string, string>>
}

/** What a lab may ask of its nodes beside their plan. */
export interface NodeOptions {
  readonly program?: NodeProgram
  readonly profiles?: boolean
  readonly faults?: readonly NodeFaults[] | undefined
}

/** Command line of a node for the options of its lab. */
export function furtherArgs(name: string, { profiles = false, faults = [], program }: NodeOptions): string[] {
  const own = faults.filter(({ node }) => node === name).flatMap((one) => one.faults)
  return [
    ...(profiles ? ['--pprof', '127.0.0.1:0'] : []),
    ...own.flatMap((fault) => ['--fault', fault]),
    ...(program?.args(name) ?? []),
  ]
}

/** Throws MESH_LAB_UNKNOWN for faults of a node that the lab does not start. */
export function checkFaults(names: readonly string[], { faults = [] }: NodeOptions): void {
  const unknown = faults.find(({ node }) => !names.includes(node))
  if (unknown !== undefined)
    throw new MeshError('MESH_LAB_UNKNOWN', { name: unknown.node.slice(0, 64), known: names.toSorted().join(' ') })
}
