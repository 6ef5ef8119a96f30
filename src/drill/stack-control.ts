/** Services of the stack that drills stop. */
export type StackService = 'collector' | 'jaeger'

/** Control of the services of a stack, by Compose or by the owner of bare processes. Throws MESH_STACK_UNHELD. */
export interface StackControl {
  stop(service: StackService): Promise<unknown>
  start(service: StackService): Promise<unknown>
}
