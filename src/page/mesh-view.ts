/** What the page shows of a mesh: one shape, whoever watches it. The lab fills it, and so does an observer. */
export interface MeshView {
  /** Unix milliseconds. */
  readonly atMs: number
  readonly from: 'lab' | 'observer'
  readonly title: string
  /** Id of the node that tells all this; the lab is none. */
  readonly self?: string
  readonly nodes: readonly ViewNode[]
  readonly links: readonly ViewLink[]
  readonly boot: readonly BootStep[]
  /** The last spans that tell of an event, newest last, at most 200. */
  readonly spans: readonly ViewSpan[]
  /** Newest last. */
  readonly messages: readonly ViewMessage[]
  /** Where Jaeger's own page is, without a slash at the end. */
  readonly jaegerUrl?: string
  /** Whether `/api/v3` answers beside this. */
  readonly traces: boolean
}

export type NodeState =
  | 'waiting'
  | 'starting'
  | 'running'
  | 'paused'
  | 'stopped'
  | 'killed'
  | 'unreachable'
  /** Connected, and speaks no hello: state and role of a peer that is no member. */
  | 'guest'

export interface ViewNode {
  /** Peer id; the name as long as there is none. */
  readonly id: string
  readonly name: string
  readonly role: string
  /** One, or two for a bridge. */
  readonly meshes: readonly string[]
  readonly state: NodeState
  readonly incarnation?: number
  readonly addresses: readonly string[]
  readonly topics: readonly string[]
  /** Ids of the nodes it is linked to, by its own digest. */
  readonly links: readonly string[]
  /** Milliseconds since something newer was heard of it. */
  readonly silentMs?: number
  readonly counts: {
    readonly members?: number
    readonly links?: number
    readonly retries?: number
    readonly prunes?: number
    readonly expired?: number
  }
  readonly rssMb?: number
  readonly cpuMsPerS?: number
  readonly pid?: number
  /** Whether it can be killed, paused, started: the lab's own. */
  readonly controllable: boolean
  /** Path, from here, of everything it holds; left out when nobody can be asked. */
  readonly inventory?: string
}

export interface ViewLink {
  /** Node ids, a < b. */
  readonly a: string
  readonly b: string
  /** Shared by both ends. */
  readonly id: string
  readonly transport: string
  readonly kind: 'member' | 'guest' | 'unsettled'
  /** How many ends report it. */
  readonly ends: 1 | 2
  /** Trace of its birth. */
  readonly trace?: string
}

export interface BootStep {
  readonly node: string
  /** `started`, `listening`, `first link`, `all members` … */
  readonly what: string
  /** Milliseconds since the lab's start. */
  readonly atMs: number
}

export interface ViewSpan {
  /** Unix milliseconds. */
  readonly atMs: number
  readonly node: string
  readonly span: string
  readonly detail: string
  /** Trace id; empty when it belongs to none. */
  readonly trace: string
  /** How a terminal paints it. */
  readonly colour?: 'green' | 'yellow' | 'red' | 'cyan' | 'gray'
}

export interface ViewMessage {
  /** Unix milliseconds. */
  readonly atMs: number
  /** Name of whoever said or heard it. */
  readonly node: string
  /** Peer id, where the name need not be its own. */
  readonly id?: string
  readonly text: string
}
