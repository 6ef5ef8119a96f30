import { leakCheck } from '../testing/leak-check.ts'
import { collectNative } from '../testing/real-world.ts'
import { testQuickProofs } from './quick.ts'

// To see which proofs are virtual all of them are loaded, and with them QUIC's native part.
collectNative()
leakCheck()

await testQuickProofs({ virtual: true })
