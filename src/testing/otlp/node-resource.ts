/** Resource of the node in telemetry tests. */
export const resource = {
  meshId: 'm',
  nodeName: 'n1',
  role: 'seed',
  incarnation: 3,
  peer: 'peer-1',
  version: '1.2.3',
} as const
