// Preloaded into every process of a cluster: one that is killed takes its children with it, whatever they are doing.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
// The channel alone keeps nobody alive.
process.channel?.unref()
