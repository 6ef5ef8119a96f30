import type { Plant } from './plant.ts'
import { applicationPlants } from './plants/application.ts'
import { handlePlants } from './plants/handles.ts'
import { kitPlants } from './plants/kit.ts'
import { libp2pPlants } from './plants/libp2p.ts'
import { linkPlants } from './plants/links.ts'
import { memoryPlants } from './plants/memory.ts'

/** Every plant, by the name that a recording asks for. */
export const plants: Readonly<Record<string, Plant>> = {
  ...applicationPlants,
  ...handlePlants,
  ...kitPlants,
  ...libp2pPlants,
  ...linkPlants,
  ...memoryPlants,
}
