import type { TracemeshComponents } from './components.ts'
import type { InternalInit } from './init.ts'
import { validateInternalInit } from './init-rules.ts'
import { TracemeshService } from './service.ts'

export type { InternalInit } from './init.ts'
export type { TracemeshService } from './service.ts'

/**
 * The mesh service for the code of this repository, with options and methods that applications do not have. The package
 * does not export it. Throws MESH_CONFIG_INVALID.
 */
export function tracemeshInternal(init: InternalInit = {}): (components: TracemeshComponents) => TracemeshService {
  const options = validateInternalInit(init)
  return (components) => new TracemeshService(components, options)
}
