import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A test, or the hooks of a file. */
interface Scope {
  after(hook: () => void): void
}

/** Creates an empty directory, which is removed after the test. */
export function temporaryDirectory(scope: Scope): string {
  const path = mkdtempSync(join(tmpdir(), 'tracemesh-test-'))
  scope.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Sets variables of this process until the end of the test. */
export function setEnvironment(scope: Scope, variables: Readonly<Record<string, string>>): void {
  const before = { ...process.env }
  Object.assign(process.env, variables)
  scope.after(() => {
    for (const name of Object.keys(variables)) delete process.env[name]
    Object.assign(process.env, before)
  })
}
