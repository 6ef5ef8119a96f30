import { runKitLives } from '../../soak/lives/kit-lives.ts'

// Short lives of ours, as those of a soak.

await runKitLives({ mesh: 'mesh-a', topic: 'bench', hasListeners: true }, process.argv.slice(2))
