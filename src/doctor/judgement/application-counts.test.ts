import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, growing, ProcessStory } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { countsIn, grownCollections } from './application-counts.ts'
import { meshRegistriesOf } from './registry-counts.ts'

leakCheck()

/** A watched collection `members` that grows; what else is called so, or begins so, does not. */
function storyOfMembers(): ProcessStory {
  const story = new ProcessStory('node-1')
  const size = growing(40)
  const applicationSpan = (atS: number, attributes: Readonly<Record<string, string | number>>) =>
    story.span('mesh.audit.application', atS, attributes)
  return story.censuses(
    10,
    (atS) => ({ 'mesh.audit.applications': [`members ${size(atS)}`, 'members old 5', 'members new 5'] }),
    (atS) => {
      const old = { 'mesh.registry.name': 'members old', 'mesh.registry.owner': 'node-1/application' }
      applicationSpan(atS, { ...old, 'mesh.registry.size': 5, 'mesh.registry.added': 1_000 })
      applicationSpan(atS, { 'mesh.registry.name': 'members new', 'mesh.registry.size': 5 })
      story.registry('members', atS, 'node-1/view', { size: 3, added: 700 })
    },
  )
}

test('a collection whose name begins another one, and is that of a registry of the mesh: its own counts alone', () => {
  const [instance] = evidenceOf([storyOfMembers()]).instances
  assert.ok(instance)
  assert.deepEqual(
    grownCollections(instance).map(({ name, found }) => [name, found.points.at(-1)?.value]),
    [['members', growing(40)(575)]],
  )
  assert.deepEqual(countsIn(instance, 'members', 'added'), [])
  assert.equal(countsIn(instance, 'members old', 'added').at(-1)?.value, 1_000)
})

test('registries of the application with a space in their name: not taken for registries of the mesh', () => {
  const [instance] = evidenceOf([storyOfMembers()]).instances
  const names = instance && meshRegistriesOf(instance).map(({ name, owner }) => `${name} of ${owner}`)
  assert.deepEqual(names, ['members of node-1/view'])
})
