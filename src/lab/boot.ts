import type { BootStep } from '../page/mesh-view.ts'
import type { LogEntry } from './child.ts'
import { shareMesh } from './findings.ts'
import type { LabNode } from './lab-node.ts'

/** The first occurrence of each start step, by node. */
export class Boot {
  readonly #startedAt: number
  readonly #steps: BootStep[] = []

  /** @param startedAt Monotonic milliseconds. */
  constructor(startedAt: number) {
    this.#startedAt = startedAt
  }

  get steps(): readonly BootStep[] {
    return this.#steps
  }

  /** Milliseconds from the start until all nodes without a late start knew their members; undefined before. */
  completeAtMs(nodes: readonly LabNode[]): number | undefined {
    const firstNodes = nodes.filter(({ plan }) => plan.startsAtMs === 0)
    const steps = firstNodes.map(({ name }) =>
      this.#steps.find(({ node, what }) => node === name && what === 'all members'),
    )
    const times = steps.flatMap((step) => step?.atMs ?? [])
    return times.length === firstNodes.length ? Math.max(...times) : undefined
  }

  onStart({ name }: LabNode): void {
    this.#addStep(name, 'started')
  }

  onLine(node: LabNode, { msg }: LogEntry, nodes: readonly LabNode[]): void {
    if (msg === 'listening') this.#addStep(node.name, 'listening')
    if (msg === 'mesh.hello.received') this.#addStep(node.name, 'first link')
    if (msg !== 'mesh.member.joined') return
    const others = nodes.filter((other) => other !== node && shareMesh(node, other) && isDue(other))
    if (node.tally.members >= others.length) this.#addStep(node.name, 'all members')
  }

  #addStep(node: string, what: string): void {
    if (this.#steps.some((step) => step.node === node && step.what === what)) return
    this.#steps.push({ node, what, atMs: Math.round(performance.now() - this.#startedAt) })
  }
}

/** Whether the node runs, or is about to start. */
function isDue({ state, plan }: LabNode): boolean {
  return state === 'starting' || state === 'running' || (state === 'waiting' && plan.startsAtMs === 0)
}
