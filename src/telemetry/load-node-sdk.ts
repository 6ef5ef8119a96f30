import { registerHooks } from 'node:module'
import type { ProviderFactory } from './provider.ts'

const unused = '@opentelemetry/configuration'
const names = [
  'mergeHeadersConfig',
  'mergePropagatorCompositeConfig',
  'mergeResourceAttributesConfig',
  'parseConfigFile',
] as const
const code = `const no = () => { throw new Error('NodeSDK was loaded without ${unused}') }
export { ${names.map((name) => `no as ${name}`).join(', ')} }`
const empty = `data:text/javascript,${encodeURIComponent(code)}`

/**
 * `nodeSdkProvider`, with NodeSDK loaded without the parser and the schemas of configuration files: 1.1 MB of source,
 * that `startNodeSDK` calls and the class never does. Everything else that loads them gets the real ones.
 */
export async function loadNodeSdk(): Promise<ProviderFactory> {
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      specifier === unused && context.parentURL?.includes('/@opentelemetry/sdk-node/')
        ? { url: empty, format: 'module', shortCircuit: true }
        : next(specifier, context),
  })
  try {
    return (await import('./node-sdk.ts')).nodeSdkProvider
  } finally {
    hooks.deregister()
  }
}
