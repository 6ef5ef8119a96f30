import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { atMost, type Check } from './proof.ts'

/** Largest picture that the repository accepts, in bytes. */
const maxPictureBytes = 200_000

export type Pictures = ReturnType<typeof pictures>

/** The directory for the pictures that a proof takes. */
export function pictures() {
  // Absolute; by default one that git ignores.
  const directory = resolve(process.env['TRACEMESH_PICTURES'] || '.tracemesh/pictures')
  const sizes: Record<string, number> = {}
  return {
    directory,
    /** Bytes of each saved picture. */
    sizes,
    /** Writes `<name>.png`. */
    async save(name: string, png: Buffer): Promise<void> {
      sizes[name] = png.length
      await mkdir(directory, { recursive: true })
      await writeFile(join(directory, `${name}.png`), png)
    },
    /** Checks that no picture is too large for the repository. */
    sizeCheck: (): Check => atMost('the largest picture', maxPictureBytes, Math.max(...Object.values(sizes)), 'bytes'),
  }
}
