import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { atMost, type Check } from './proof.ts'

/** Largest picture that the repository accepts, in bytes. */
const maxPictureBytes = 200_000

export interface Pictures {
  /** Absolute: `TRACEMESH_PICTURES`, or a directory that git ignores. */
  readonly directory: string
  /** Bytes of each saved picture. */
  readonly sizes: Readonly<Record<string, number>>
  /** Writes `<name>.png`. */
  save(name: string, png: Buffer): Promise<void>
  /** Checks that no picture is too large for the repository. */
  sizeCheck(): Check
}

/** The directory for the pictures that a proof takes. */
export function pictures(): Pictures {
  const directory = resolve(process.env['TRACEMESH_PICTURES'] || '.tracemesh/pictures')
  const sizes: Record<string, number> = {}
  return {
    directory,
    sizes,
    async save(name, png) {
      sizes[name] = png.length
      await mkdir(directory, { recursive: true })
      await writeFile(join(directory, `${name}.png`), png)
    },
    sizeCheck: () => atMost('the largest picture', maxPictureBytes, Math.max(...Object.values(sizes)), 'bytes'),
  }
}
