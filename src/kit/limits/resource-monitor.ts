import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import type { SpanEffect } from '../../catalogue/span-effect.ts'
import type { Clock, Random } from '../../core/machine.ts'
import type { Owner } from '../../core/owner.ts'
import { isExhaustion, type ResourceOperation, ResourceWatch } from '../../core/resource-watch.ts'
import type { TracemeshComponents } from '../components.ts'

export interface ResourceMonitorOptions {
  readonly owner: Owner
  readonly clock: Clock
  readonly random: Random
  readonly components: Pick<TracemeshComponents, 'events' | 'transportManager'>
  readonly emitSpan: (span: SpanEffect) => void
  /** Throws when the process cannot open another descriptor. */
  readonly probe?: (() => void) | undefined
}

type Listener = ReturnType<TracemeshComponents['transportManager']['getListeners']>[number]

const probeMs = 5_000

/**
 * Detects that the process has run out of descriptors or memory. Dials fail with an error, but listeners do not: out of
 * descriptors, libuv silently accepts and closes each connection. So the monitor opens a descriptor at intervals.
 */
export class ResourceMonitor {
  readonly #options: ResourceMonitorOptions
  readonly #watch: ResourceWatch
  readonly #onAcceptError = ({ detail }: CustomEvent<Error>) => this.reportFailure(codeOf(detail), 'accept')

  constructor(options: ResourceMonitorOptions) {
    this.#options = options
    this.#watch = new ResourceWatch(options.random)
  }

  start(): void {
    const { owner, components } = this.#options
    const onListening = ({ detail }: CustomEvent<Listener>) => this.#watchListener(detail)
    for (const listener of components.transportManager.getListeners()) this.#watchListener(listener)
    components.events.addEventListener('transport:listening', onListening)
    owner.adopt('resource listeners', () => {
      components.events.removeEventListener('transport:listening', onListening)
      for (const listener of components.transportManager.getListeners())
        listener.removeEventListener('error', this.#onAcceptError)
    })
    owner.every(probeMs, () => this.#probeDescriptors())
    this.#probeDescriptors()
  }

  /** Reports a failed operation; ignores errors other than a lack of descriptors or memory. */
  reportFailure(errorType: string, operation: ResourceOperation): void {
    if (!isExhaustion(errorType)) return
    const { clock, emitSpan } = this.#options
    for (const span of this.#watch.handle({ type: 'failed', errorType, operation }, clock.now())) emitSpan(span)
  }

  #watchListener(listener: Listener): void {
    listener.addEventListener('error', this.#onAcceptError)
  }

  #probeDescriptors(): void {
    const { clock, emitSpan, probe = openDescriptor } = this.#options
    try {
      probe()
    } catch (error) {
      this.reportFailure(codeOf(error), 'open')
    }
    for (const span of this.#watch.handle({ type: 'tick' }, clock.now())) emitSpan(span)
  }
}

function openDescriptor(): void {
  closeSync(openSync(devNull, 'r'))
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
