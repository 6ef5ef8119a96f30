import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { leakCheck } from '../testing/leak-check.ts'
import { roles, roleTable } from './roles.ts'

leakCheck()

const root = resolve(import.meta.dirname, '../..')
const textOf = (pattern: string) =>
  globSync(pattern, { cwd: root }).map((path) => readFileSync(resolve(root, path), 'utf8'))

test('every role: a positive budget, a node in compose.yaml and in deploy/k8s, and a place in the glossary', () => {
  const [compose, k8s, glossary] = ['deploy/compose.yaml', 'deploy/k8s/**/*.yaml', 'docs/glossary.md'].map((pattern) =>
    textOf(pattern).join('\n'),
  )
  for (const role of roles) {
    const { rssMb, cpuMsPerS } = roleTable[role].budget
    assert.ok(rssMb > 0 && cpuMsPerS > 0, role)
    assert.match(
      compose ?? '',
      new RegExp(`MESH_ROLE: ${role}\\b`),
      `add a service with MESH_ROLE: ${role} to deploy/compose.yaml`,
    )
    assert.match(
      k8s ?? '',
      new RegExp(`MESH_ROLE, value: ${role}\\b`),
      `add a workload with MESH_ROLE ${role} to deploy/k8s`,
    )
    assert.match(
      glossary ?? '',
      new RegExp(`\\*\\*role\\*\\* .*\\b${role}\\b`),
      `add ${role} to the entry "role" of docs/glossary.md`,
    )
  }
})

test('start.sh: counts the nodes of compose.yaml that are not compute', () => {
  const [compose = '', start = ''] = ['deploy/compose.yaml', 'deploy/start.sh'].flatMap(textOf)
  const services: { environment?: { MESH_ROLE?: string } }[] = Object.values(parse(compose, { merge: true }).services)
  const others = services.filter(({ environment }) => (environment?.MESH_ROLE ?? 'compute') !== 'compute')
  assert.match(start, new RegExp(`^other_nodes=${others.length}$`, 'm'))
})
