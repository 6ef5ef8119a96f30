import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What it says of one alert. */
export interface FakeAlert {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly state: 'unprocessed' | 'active' | 'suppressed'
}

export interface FakeStackOptions {
  /** Asked each time; a text is answered as it is, with status 200, a number as that status. */
  readonly alerts?: () => readonly FakeAlert[] | string | number
  /** Alerts that Prometheus has rules for, and their `for` in seconds. */
  readonly rules?: Readonly<Record<string, number>>
  /** Nodes that Prometheus knows. */
  readonly known?: () => readonly string[]
}

/** An Alertmanager that says what it is told to, and a Prometheus at the same address. */
export interface FakeStack extends AsyncDisposable {
  readonly url: string
  /** Paths asked for, with their queries. */
  readonly asked: readonly string[]
}

export async function fakeStack({ alerts, rules = {}, known = () => [] }: FakeStackOptions = {}): Promise<FakeStack> {
  const asked: string[] = []
  const loaded = Object.entries(rules).map(([name, duration]) => ({ name, duration, health: 'ok', type: 'alerting' }))
  const answers: Readonly<Record<string, () => unknown>> = {
    '/api/v2/status': () => ({ uptime: 'now' }),
    '/api/v2/alerts': () => said(alerts?.() ?? []),
    '/api/v1/rules': () => ({ data: { groups: [{ rules: loaded }] } }),
    '/api/v1/query': () => ({ data: { result: known().map((name) => ({ metric: { mesh_node_name: name } })) } }),
  }
  const server = createServer(({ url = '' }, response) => {
    asked.push(url)
    const answer = answers[url.replace(/\?.*/, '')]?.() ?? 404
    response.statusCode = typeof answer === 'number' ? answer : 200
    // Without a connection that outlives its test.
    response.setHeader('connection', 'close')
    response.end(typeof answer === 'string' ? answer : JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

function said(alerts: readonly FakeAlert[] | string | number): unknown {
  if (typeof alerts !== 'object') return alerts
  const at = '2030-01-01T00:00:00.000Z'
  const times = { startsAt: at, endsAt: at, updatedAt: at }
  return alerts.map(({ labels, annotations = {}, state }) => ({
    ...{ labels, annotations, ...times, fingerprint: 'f', receivers: [] },
    status: { state, silencedBy: [], inhibitedBy: [] },
  }))
}
