import type { Check } from '../proof.ts'
import type { CommandResult } from '../shell.ts'
import type { AppProject } from './app-project.ts'

export function succeeds(what: string, { code, output }: CommandResult): Check {
  return { what, want: 'exit 0', got: code === 0 ? 'exit 0' : `exit ${code}: ${output.slice(-500)}`, holds: code === 0 }
}

/** Messages of npm and pnpm about version conflicts. */
const conflict = /ERESOLVE|peer dependenc|unmet peer|ELSPROBLEMS/i
/** Packages of the commands, which the kit must not install. */
const commandPackages = ['fastify', 'commander', '@opentelemetry/otlp-transformer', '@grpc/proto-loader']

/** Checks an install: no conflict, and one copy of the API. */
export async function installChecks(on: string, project: AppProject, ownSdk: boolean): Promise<Check[]> {
  const { installed } = project
  const conflicts = installed.output.split('\n').filter((line) => conflict.test(line))
  // Real directories only: pnpm links each package into its dependents.
  const copies = await project.run(
    `find node_modules -type d -path '*@opentelemetry/api' -not -path '*/api/*' | sort | uniq | wc -l`,
  )
  const names = ownSdk ? commandPackages.slice(0, 2) : commandPackages
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
