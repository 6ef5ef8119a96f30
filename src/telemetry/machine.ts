import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'

const bootId = '/proc/sys/kernel/random/boot_id'

/**
 * Identifies the clock that this process reads: all containers of a machine share the id, and it changes on reboot.
 * Without such a file, the host name.
 */
export function machineId(file = bootId): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return hostname()
  }
}
