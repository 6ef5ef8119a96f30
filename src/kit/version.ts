import { readFileSync } from 'node:fs'

/** Version of this package; its file is two folders up in the sources and in the published build. */
export const version: string = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version
