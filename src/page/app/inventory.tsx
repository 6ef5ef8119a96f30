import type { Inventory as NodeInventory } from '../../core/owner.ts'
import { duration, plural } from '../model/format.ts'
import { requestJson } from './api.ts'
import { Problem } from './parts.tsx'
import { useLoaded } from './use-loaded.ts'

const pollMs = 5_000

/** Live inventory of a node: its registries and their bounds, its timers and other resources. */
export function Inventory({ path }: { readonly path: string }) {
  const { value, problem } = useLoaded(
    path,
    () => requestJson<NodeInventory>(path),
    () => pollMs,
  )
  return (
    <section class="card" aria-labelledby="inventory">
      <h2 id="inventory">Inventory</h2>
      <Problem text={problem} />
      {value !== undefined && <Registries inventory={value} />}
    </section>
  )
}

function Registries({ inventory }: { readonly inventory: NodeInventory }) {
  const timers = inventory.resources.filter(({ kind }) => kind === 'timer').map(({ name }) => name)
  const others = inventory.resources.filter(({ kind }) => kind === 'resource').map(({ name }) => name)
  return (
    <>
      <div class="scroll">
        <table>
          <caption class="unseen">Registries</caption>
          <thead>
            <tr>
              <th scope="col">Registry</th>
              <th scope="col" class="number">
                Size
              </th>
              <th scope="col" class="number">
                Capacity
              </th>
              <th scope="col" class="number wide">
                High
              </th>
              <th scope="col" class="number wide">
                Added
              </th>
              <th scope="col" class="number">
                Oldest
              </th>
            </tr>
          </thead>
          <tbody>
            {inventory.registries.map(({ name, owner, size, capacity, highWaterMark, added, oldestMs }) => (
              <tr key={`${owner} ${name}`}>
                <th scope="row" title={owner}>
                  {name}
                </th>
                <td class="number">{size}</td>
                <td class="number">{capacity}</td>
                <td class="number wide">{highWaterMark}</td>
                <td class="number wide">{added}</td>
                <td class="number">{size === 0 ? '' : duration(oldestMs)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="quiet">
        {plural(timers.length, 'timer')}
        {timers.length > 0 && `: ${countByName(timers)}`}; {plural(others.length, 'other resource')}
        {others.length > 0 && `: ${countByName(others)}`}
      </p>
    </>
  )
}

function countByName(names: readonly string[]): string {
  const groups = Map.groupBy(names, (name) => name)
  return [...groups].map(([name, all]) => (all.length === 1 ? name : `${name} ×${all.length}`)).join(', ')
}
