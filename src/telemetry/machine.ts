import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'

const bootId = '/proc/sys/kernel/random/boot_id'

/**
 * Whose clock this process reads: the same in all containers of a machine, another one after its reboot. Where there is
 * no such file, the name of the host.
 */
export function machineId(file = bootId): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return hostname()
  }
}
