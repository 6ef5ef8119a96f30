import { RPC } from '@chainsafe/libp2p-gossipsub/message'

/**
 * Counts the messages of one topic in every gossipsub RPC of this process, duplicates included: the library itself only
 * counts them for a metrics registry. Costs a few calls per RPC, the same for whoever is measured.
 *
 * @param {string} topic What the topic ends with: a mesh puts its name before it.
 * @returns {() => number} How many since the last call.
 */
export function countCopies(topic) {
  let copies = 0
  const { decode } = RPC
  /** @type {typeof decode} */
  const counting = (...args) => {
    const rpc = decode(...args)
    copies += rpc.messages.filter((message) => message.topic.endsWith(topic)).length
    return rpc
  }
  Object.assign(RPC, { decode: counting })
  return () => {
    const taken = copies
    copies = 0
    return taken
  }
}
