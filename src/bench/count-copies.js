import { RPC } from '@chainsafe/libp2p-gossipsub/message'

/**
 * Counts the messages of one topic in every gossipsub RPC of this process, duplicates included: the library counts them
 * for a metrics registry only. Costs a few calls per RPC, the same on every side.
 *
 * @param {string} topic Suffix of the topic: a mesh prepends its name.
 * @returns {() => number} Returns the count since the last call.
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
    const count = copies
    copies = 0
    return count
  }
}
