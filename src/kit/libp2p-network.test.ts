import { leakCheck } from '../testing/leak-check.ts'
import { networkSuite } from '../testing/network-suite.ts'
import { collectNative, realHarness } from '../testing/real-world.ts'

collectNative()
leakCheck()

networkSuite('libp2p over QUIC', realHarness('quic'))
networkSuite('libp2p over TCP', realHarness('tcp'))
