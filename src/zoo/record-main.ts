import { resolve } from 'node:path'
import { recordScene } from './record.ts'
import { scenes } from './scenes.ts'

// record-main DIRECTORY AT-ONCE NAME...: records scenes, so many at once.

const [directory = '', atOnce = '1', ...names] = process.argv.slice(2)
const signal = new AbortController().signal
const queue = names.map((name) => {
  const scene = scenes.find((one) => one.name === name)
  if (scene === undefined) throw new Error(`unknown scene ${name}`)
  return scene
})

async function work(): Promise<void> {
  for (let scene = queue.shift(); scene !== undefined; scene = queue.shift()) {
    const began = Date.now()
    const result = await recordScene(scene, resolve(directory), signal).catch(String)
    process.stdout.write(`${scene.name} ${result} ${Math.round((Date.now() - began) / 1_000)} s\n`)
  }
}

await Promise.all(Array.from({ length: Number(atOnce) }, work))
