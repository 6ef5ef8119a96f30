/** Services of the stack that a drill has to stop. */
export type StackService = 'collector' | 'jaeger'

/** A hold on the services of a stack: by compose, by whoever started the bare processes. Both throw MESH_STACK_UNHELD. */
export interface StackControl {
  stop(service: StackService): Promise<unknown>
  start(service: StackService): Promise<unknown>
}
