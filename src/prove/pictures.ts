import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { atMost, type Check } from './proof.ts'

/** What a repository should bear for one picture, in bytes. */
const pictureBytes = 200_000

export interface Pictures {
  /** Absolute: what `TRACEMESH_PICTURES` names, else one that is not committed. */
  readonly directory: string
  /** Bytes of each that was kept. */
  readonly sizes: Readonly<Record<string, number>>
  /** Writes `<name>.png`. */
  keep(name: string, png: Buffer): Promise<void>
  /** None may be larger than a repository should bear. */
  small(): Check
}

/** Where a proof leaves the pictures that it takes. */
export function pictures(): Pictures {
  const directory = resolve(process.env['TRACEMESH_PICTURES'] || '.tracemesh/pictures')
  const sizes: Record<string, number> = {}
  return {
    directory,
    sizes,
    async keep(name, png) {
      sizes[name] = png.length
      await mkdir(directory, { recursive: true })
      await writeFile(join(directory, `${name}.png`), png)
    },
    small: () => atMost('the largest picture', pictureBytes, Math.max(...Object.values(sizes)), 'bytes'),
  }
}
