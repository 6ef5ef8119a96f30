import { loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { MessageRecord } from '../../kit/message.ts'
import type { Topology } from '../../kit/views.ts'
import { type Cluster, type NodeProcess, startCluster, until } from '../../testing/cluster.ts'
import { type Guest, startGuest } from '../../testing/guest.ts'
import { atMost, type Check, equals, type ProofContext, type ProofResult } from '../proof.ts'

const talking = fileURLToPath(new URL('../../testing/talking-node.ts', import.meta.url))

/** What each step may take, in milliseconds. A listener waits 6 s for a hello; spans leave within 1 s. */
const limits = { guest: 9_000, told: 12_000, heard: 10_000, gone: 6_000, goneUnsaid: 15_000 }

const topic = 'news'

interface Mesh {
  readonly cluster: Cluster
  /** Dialled by the guest. */
  readonly near: NodeProcess
  /** A neighbour of that: what reaches it from the guest was passed on. */
  readonly far: NodeProcess
}

type Start = () => Promise<Guest>

export const aboutGuests =
  'is a guest: told, listed, no member, gossiped with both ways, and it can leave, crash, and come back'

/** A guest, by its command line, with a mesh of two nodes. */
export async function runGuestVisits(command: readonly string[], { random }: ProofContext): Promise<ProofResult> {
  await using cluster = await startCluster()
  const mesh = 'mesh-a'
  const near = await cluster.node('near', { mesh, role: 'seed', entry: talking })
  const far = await cluster.node('far', { mesh, seeds: [cluster.address('near')], env: { MESH_TOPICS: topic } })
  await until(async () => (await topology(far)).members.length > 0, 10_000, 'two nodes that know each other')
  const address = `${cluster.address('near')}/p2p/${near.peer}`
  const env = { GUEST_KEY: Array.from({ length: 64 }, () => Math.floor(random() * 16).toString(16)).join('') }
  return await visit({ cluster, near, far }, () => startGuest(command, address, `${mesh}/${topic}`, env))
}

/** It comes, talks, leaves in order, comes back, falls silent, and comes back once more. */
async function visit(mesh: Mesh, start: Start): Promise<ProofResult> {
  const first = await stay(mesh, await start(), 'at first')
  const again = await start()
  const second = await stay(mesh, again, 'back after it left', again.kill)
  const last = await stay(mesh, await start(), 'back after a crash')
  const stays = [first, second, last]
  return {
    figures: { ...Object.fromEntries(stays.map(({ title, steps }) => [title, steps])), load: loadavg() },
    checks: stays.flatMap(({ checks }) => checks),
  }
}

async function stay({ cluster, near, far }: Mesh, guest: Guest, title: string, end: Guest['kill'] = guest.leave) {
  await using leaving = guest
  const { peer } = leaving
  const since = Date.now()
  const seen = async () => (await topology(near)).peers.find((one) => one.peer === peer)
  const listedMs = await took(limits.guest, async () => (await seen())?.kind === 'guest')
  const members = (await Promise.all([near, far].map(topology))).flatMap((one) =>
    one.members.map((member) => member.peer),
  )
  const said = `${title} says ${since}`
  const hasHeard = (node: NodeProcess) => node.log.some((line) => line['heard'] === said && line['from'] === peer)
  guest.publish(said)
  const nearMs = await took(limits.heard, () => hasHeard(near))
  const farMs = await took(limits.heard, async () => heardSince(await far.api('/api/messages'), peer, since))
  const backMs = await took(limits.heard, () =>
    guest.heard.some(({ from, text }) => from === near.peer && text.includes('news from near')),
  )
  const spanDelayMs = await took(limits.told, () =>
    cluster.receiver.spans.some(
      ({ name, attributes, startMs }) =>
        name === 'mesh.connection.guest' && attributes['mesh.peer.id'] === peer && startMs >= since,
    ),
  )
  await end()
  const crashed = end !== guest.leave
  const goneMs = await took(crashed ? limits.goneUnsaid : limits.gone, async () => (await seen()) === undefined)
  const steps = { listedMs, nearMs, farMs, backMs, spanDelayMs, goneMs }
  const checks: Check[] = [
    atMost(`${title}: listed as a guest`, limits.guest, listedMs, 'ms'),
    atMost(`${title}: mesh.connection.guest is told`, limits.told, spanDelayMs, 'ms'),
    equals(`${title}: among the members`, false, members.includes(peer)),
    atMost(`${title}: the node it dialled hears it`, limits.heard, nearMs, 'ms'),
    atMost(`${title}: the node behind that hears it`, limits.heard, farMs, 'ms'),
    atMost(`${title}: it hears the node`, limits.heard, backMs, 'ms'),
    atMost(`${title}: no longer listed once gone`, crashed ? limits.goneUnsaid : limits.gone, goneMs, 'ms'),
  ]
  return { title, steps, checks }
}

function topology(node: NodeProcess): Promise<Topology> {
  return node.api<Topology>('/api/topology')
}

function heardSince(messages: readonly MessageRecord[], from: string, since: number): boolean {
  return messages.some(({ direction, peer, at }) => direction === 'in' && peer === from && at >= since)
}

/** How long it took, or NaN when it did not come within the limit. */
function took(limitMs: number, holds: () => boolean | Promise<boolean>): Promise<number> {
  return until(holds, limitMs, 'the step').catch(() => Number.NaN)
}
