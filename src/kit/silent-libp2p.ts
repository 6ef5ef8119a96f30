import type { ComponentLogger, Logger } from '@libp2p/interface'

const nothing = () => {}
const mute: Logger = Object.assign(nothing, { error: nothing, trace: nothing, enabled: false, newScope: () => mute })
/** Formatting unread log lines costs libp2p more than sending. */
export const silentLibp2p: ComponentLogger = { forComponent: () => mute }
