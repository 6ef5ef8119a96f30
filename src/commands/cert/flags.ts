import * as z from 'zod'
import { roles } from '../../catalogue/roles.ts'
import { initRules } from '../../kit/init.ts'
import { type Check, filePath } from '../../node/config-schemas.ts'
import type { FlagTable } from '../../node/flag-table.ts'

const roleList = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(z.enum(roles)).min(1))

const dayMs = 86_400_000

/** Longer than the durations of other flags, which are timers. */
function validity(): Check<number> {
  const toMs = (text: string) => {
    const [, count, unit] = /^(\d{1,5})([hd])$/.exec(text) ?? []
    return Number(count) * (unit === 'h' ? dayMs / 24 : dayMs)
  }
  return {
    expected: 'a time such as 12h or 90d, from 1h to 3650d',
    schema: z
      .string()
      .transform(toMs)
      .pipe(
        z
          .number()
          .min(dayMs / 24)
          .max(3_650 * dayMs),
      ),
  }
}

const authority = {
  ca: { description: 'key file of the authority', ...filePath() },
  'passphrase-file': {
    description: 'file with the passphrase of that key',
    defaultText: 'asked at the terminal',
    ...filePath(),
  },
} as const satisfies FlagTable
const term = {
  for: { description: 'how long it is valid', defaultValue: '90d', ...validity() },
  out: { description: 'file to write', defaultText: 'standard output', ...filePath() },
} as const satisfies FlagTable
const subject = {
  mesh: { description: 'mesh id', ...initRules.mesh },
  roles: {
    description: 'what the node may be',
    expected: `roles, separated by commas: ${roles.join(' ')}`,
    schema: roleList,
  },
} as const satisfies FlagTable

/** The flags of each command of `tracemesh cert`. */
export const certFlags = {
  ca: { 'passphrase-file': authority['passphrase-file'] },
  request: { identity: { description: 'key file of the node', ...filePath() }, ...subject },
  sign: { ...authority, ...term },
  show: { ca: { description: 'file with public keys of authorities, to verify with', ...filePath() } },
  renew: { ...authority, ...term },
  revoke: { ...authority, list: { description: 'file of the list of revocations', ...filePath() } },
} as const satisfies Readonly<Record<string, FlagTable>>
