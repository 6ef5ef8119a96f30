import type { ComponentLogger, Logger } from '@libp2p/interface'

const nothing = () => {}
const mute: Logger = Object.assign(nothing, { error: nothing, trace: nothing, enabled: false, newScope: () => mute })
/** Formatting what nobody reads costs libp2p more than sending it. */
export const silentLibp2p: ComponentLogger = { forComponent: () => mute }
