/**
 * The options that `tracemesh node` gives to js-libp2p: `createLibp2p({ ...libp2pSettings({ privateKey, listen }) })`.
 * Loads QUIC with its native library, TCP, yamux, identify and gossipsub; `tracemesh` itself loads none of them.
 * @module
 */
export { type Libp2pSettings, libp2pSettings, type MeshLibp2pOptions, meshGossip } from './libp2p-settings.ts'
