import type { Check } from '../proof.ts'
import type { CommandResult } from '../shell.ts'
import type { AppProject } from './app-project.ts'

export function succeeds(what: string, { code, output }: CommandResult): Check {
  return { what, want: 'exit 0', got: code === 0 ? 'exit 0' : `exit ${code}: ${output.slice(-500)}`, holds: code === 0 }
}

/** What npm and pnpm say where versions do not fit each other. */
const conflict = /ERESOLVE|peer dependenc|unmet peer|ELSPROBLEMS/i
/** What the commands use and the kit does not: none of it may come along with the kit. */
const unwanted = ['fastify', 'commander', '@opentelemetry/otlp-transformer', '@grpc/proto-loader']

/** Installed without a word about conflicts, and with one copy of the API. */
export async function installChecks(on: string, project: AppProject, ownSdk: boolean): Promise<Check[]> {
  const { installed } = project
  const conflicts = installed.output.split('\n').filter((line) => conflict.test(line))
  // Real directories only: pnpm links each package to wherever it is needed.
  const copies = await project.run(
    `find node_modules -type d -path '*@opentelemetry/api' -not -path '*/api/*' | sort | uniq | wc -l`,
  )
  const names = ownSdk ? unwanted.slice(0, 2) : unwanted
  const paths = names.map((name) => `-path '*/node_modules/${name}'`).join(' -o ')
  const extra = await project.run(`find node_modules -type d \\( ${paths} \\) | head -3`)
  return [
    succeeds(`${on}: install`, installed),
    {
      what: `${on}: conflicts`,
      want: 'none',
      got: conflicts.slice(0, 3).join(' | ') || 'none',
      holds: conflicts.length === 0,
    },
    { what: `${on}: copies of the API`, want: '1', got: copies.output.trim(), holds: copies.output.trim() === '1' },
    {
      what: `${on}: packages of the commands`,
      want: 'none',
      got: extra.output.trim() || 'none',
      holds: extra.output.trim() === '',
    },
  ]
}
