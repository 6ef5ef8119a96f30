import type { DiseaseName } from '../doctor/diseases.ts'

/** One run of a mesh of real processes. */
export interface Scene {
  readonly name: string
  /** Undefined for a run without a disease. */
  readonly truth?: Truth
  /** In order of their start. The first is the seed that others join at. */
  readonly nodes: readonly SceneNode[]
  readonly churn?: Churn
  /** How many come and go at once; 1 by default. */
  readonly guests?: number
  /** Milliseconds from the start to the plant, and from the plant to the end. */
  readonly warmUpMs?: number
  readonly watchMs?: number
  /** What happens to processes from the plant on. */
  readonly acts?: readonly Act[]
}

/** What is ill. */
export interface Truth {
  readonly disease: DiseaseName
  /** Names of the nodes to blame, any of which is right; empty if it is the whole mesh. */
  readonly nodes: readonly string[]
  /** A regular expression that matches the owner's part; empty for any. */
  readonly part: string
  /**
   * Of a program from outside the kit, which counts nothing of it: growth of unknown cause at the node is right, too,
   * and so is nothing, if it is below what the spans resolve.
   */
  readonly isOutside?: boolean
  /** What else is true of the run: to say it is no mistake. */
  readonly also?: readonly DiseaseName[]
}

export interface SceneNode {
  readonly name: string
  /** By default a node of the zoo. */
  readonly program?: 'node' | 'application'
  readonly plant?: string
  /** Faults of the kit, from the start, see `faultNames`. */
  readonly faults?: string
  readonly env?: Readonly<Record<string, string>>
  /**
   * Where it joins, by default at the first node: names of nodes, which may have a `/p2p/ID` after them. A node of that
   * name need not run.
   */
  readonly seeds?: readonly string[]
  /** Nodes of one key have one identity; by default each start has its own. */
  readonly key?: string
  /** Milliseconds that its receiver waits before each answer. */
  readonly answerMs?: number
}

/** Who comes and goes meanwhile. */
export type Churn =
  /** Members that join, stay some seconds, and leave with a goodbye. */
  | 'guests'
  /** The same, and a process that is killed and starts again. */
  | 'kills'
  | 'none'

export type Act =
  | { readonly do: 'kill'; readonly node: string }
  /** Stops the process and starts it again, both with its key. */
  | { readonly do: 'restart'; readonly node: string; readonly afterMs: number }
  /** Suspends the process again and again. */
  | { readonly do: 'suspend'; readonly node: string; readonly ms: number; readonly everyMs: number }
  /** Many members join at once. */
  | { readonly do: 'crowd'; readonly count: number }
  /** Keeps both processors busy with as many spinning processes. */
  | { readonly do: 'overload'; readonly count: number }
