import { type Command, Option } from 'commander'
import { describeFlag, type FlagTable, type RawFlags } from '../node/flag-table.ts'

/** Adds the flags of a table to a command. */
export function addFlags(program: Command, table: FlagTable): void {
  for (const [name, flag] of Object.entries(table)) {
    program.addOption(new Option(`--${name} <value>`, describeFlag(flag)))
  }
}

/** The unparsed values of a table's flags, by their names on the command line. */
export function rawFlags(program: Command, table: FlagTable): RawFlags {
  const values = program.opts<Record<string, string | undefined>>()
  const entries = program.options.map(
    (option) => [option.long?.slice(2) ?? '', values[option.attributeName()]] as const,
  )
  return Object.fromEntries(entries.filter(([name]) => name in table))
}
