// Preloaded into every process of a cluster: when its parent dies, the process kills itself, even if it is busy.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
// The channel alone must not keep the process alive.
process.channel?.unref()
