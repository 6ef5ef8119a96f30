/** What the page shows of a mesh. A lab and an observer both fill it. */
export interface MeshView {
  /** Unix milliseconds. */
  readonly atMs: number
  readonly from: 'lab' | 'observer'
  readonly title: string
  /** Id of the observer that serves this view; a lab has none. */
  readonly self?: string
  readonly nodes: readonly ViewNode[]
  readonly links: readonly ViewLink[]
  readonly boot: readonly BootStep[]
  /** The last spans that are events, newest last, at most 200. */
  readonly spans: readonly ViewSpan[]
  /** Newest last. */
  readonly messages: readonly ViewMessage[]
  /** URL of Jaeger's page, without a trailing slash. */
  readonly jaegerUrl?: string
  /** Whether this server has `/api/v3`. */
  readonly traces: boolean
  /** The lab stops its nodes: the server of the page ends with it. */
  readonly ending?: true
}

export type NodeState =
  | 'waiting'
  | 'starting'
  | 'running'
  | 'paused'
  /** Exited with code 0. */
  | 'stopped'
  /** The lab killed it on request. */
  | 'killed'
  /** Ended by itself with an error, or the lab had to kill it: it did not listen, or did not stop. */
  | 'failed'
  | 'unreachable'
  /** State and role of a connected peer that sends no hello and is no member. */
  | 'guest'
  /** Only links to it are known. */
  | 'unknown'

export interface ViewNode {
  /** Peer id; the name until it has one. */
  readonly id: string
  readonly name: string
  readonly role: string
  /** One, or two for a bridge. */
  readonly meshes: readonly string[]
  readonly state: NodeState
  readonly incarnation?: number
  readonly addresses: readonly string[]
  readonly topics: readonly string[]
  /** Ids of its linked nodes, from its own digest. */
  readonly links: readonly string[]
  /** Milliseconds since the last newer digest of it. */
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
  /** Whether the lab can kill, pause or start it. */
  readonly controllable: boolean
  /** Relative path of its inventory; absent if no server has it. */
  readonly inventory?: string
}

const nothing = { meshes: [], topics: [], links: [], counts: {}, controllable: false } as const

/** A guest as a node of the view. */
export function guestNode(id: string, name: string, addresses: readonly string[]): ViewNode {
  return { id, name, role: 'guest', state: 'guest', addresses, ...nothing }
}

/** A peer to which others report links, and of which nothing else is known. */
export function unknownNode(id: string): ViewNode {
  return { id, name: '', role: 'unknown', state: 'unknown', addresses: [], ...nothing }
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
  /** Trace in which it opened. */
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
  /** Trace id; empty if it belongs to none. */
  readonly trace: string
  /** Colour in a terminal. */
  readonly colour?: 'green' | 'yellow' | 'red' | 'cyan' | 'gray'
}

export interface ViewMessage {
  /** Unix milliseconds. */
  readonly atMs: number
  /** Name of the node that published or received it. */
  readonly node: string
  /** Peer id, where names need not be unique. */
  readonly id?: string
  readonly text: string
}
