import { MeshError } from '../../core/errors.ts'
import { describeFlag, type Flag } from '../../node/flag-table.ts'

/** The value of a flag that has no default. Throws MESH_CONFIG_INVALID without one. */
export function required<T>(name: string, value: T | undefined, flag: Flag): T {
  if (value !== undefined) return value
  throw new MeshError('MESH_CONFIG_INVALID', { key: `--${name}`, given: 'absent', expected: describeFlag(flag) })
}
