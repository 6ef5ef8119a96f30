import type { ConnectionEncrypter } from '@libp2p/interface'
import { serviceCapabilities } from '@libp2p/interface'
import type { NoiseComponents } from '@libp2p/noise'

/** Noise, loaded by the first connection that needs it: a node with only QUIC, which has TLS, saves 3 MB of ciphers. */
export function lazyNoise(load = loadNoise): (components: NoiseComponents) => ConnectionEncrypter {
  return (components) => {
    let loading: Promise<ConnectionEncrypter> | undefined
    const getNoise = () => {
      loading ??= load(components).catch((error: unknown) => {
        // For example without a free file descriptor: the next connection tries again.
        loading = undefined
        throw error
      })
      return loading
    }
    const encrypter: ConnectionEncrypter & { readonly [serviceCapabilities]: readonly string[] } = {
      protocol: '/noise',
      [serviceCapabilities]: ['@libp2p/connection-encryption', '@libp2p/noise'],
      secureInbound: async (connection, options) => (await getNoise()).secureInbound(connection, options),
      secureOutbound: async (connection, options) => (await getNoise()).secureOutbound(connection, options),
    }
    return encrypter
  }
}

async function loadNoise(components: NoiseComponents): Promise<ConnectionEncrypter> {
  const { noise: getNoise } = await import('@libp2p/noise')
  return getNoise()(components)
}
