import { leakCheck } from '../testing/leak-check.ts'
import { networkSuite } from '../testing/suite/network-suite.ts'
import { collectNative, realHarness } from '../testing/suite/real-world.ts'

collectNative()
leakCheck()

networkSuite('libp2p over QUIC', realHarness('quic'))
networkSuite('libp2p over TCP', realHarness('tcp'))
