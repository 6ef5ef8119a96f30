import { leakCheck } from '../leak-check.ts'
import { seededRandom } from '../random.ts'
import { networkSuite } from '../suite/network-suite.ts'
import { SimWorld } from './sim-world.ts'
import { VirtualClock } from './virtual-clock.ts'

leakCheck()

networkSuite('SimNetwork', {
  async create(count, { guests, mesh }) {
    const clock = new VirtualClock()
    const world = new SimWorld({ clock, random: seededRandom(1) })
    const networks = Array.from({ length: count }, (_, index) => world.addNetwork(`peer-${index}`, { meshes: [mesh] }))
    const silent = Array.from({ length: guests }, (_, index) => world.addNetwork(`guest-${index}`, { guest: true }))
    return {
      networks,
      addresses: networks.map((network) => network.addresses[0] as string),
      guests: silent.map((network) => network.addresses[0] as string),
      deadAddress: '/ip4/10.255.255.254/udp/4001/quic-v1',
      settle: async (ms) => clock.advance(ms),
      close: async () => {},
    }
  },
})
