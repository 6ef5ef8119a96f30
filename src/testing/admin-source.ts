import type { AdminSource } from '../admin/server.ts'

/** A node with constant answers; `changes` replaces single ones. */
export function adminSource(changes: Partial<AdminSource> = {}): AdminSource {
  return {
    health: () => ({ alive: true }),
    ready: () => ({ ready: true, why: '3 peers' }),
    inventory: () => ({ registries: [], resources: [], totals: { adopted: 0, released: 0 } }),
    topology: () => [{ peer: 'a', links: ['b'] }],
    seeds: () => [{ address: '/ip4/127.0.0.1/tcp/9000', state: 'connected' }],
    messages: () => [],
    publish: async () => ({ recipients: 2 }),
    ...changes,
  }
}
