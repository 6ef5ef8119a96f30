import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One alert of the fake Alertmanager. */
export interface FakeAlert {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly state: 'unprocessed' | 'active' | 'suppressed'
}

export interface FakeStackOptions {
  /** Called per request; a string is the body of a 200 answer, a number the status of the answer. */
  readonly alerts?: () => readonly FakeAlert[] | string | number
  /** Alerts that Prometheus has rules for, and their `for` in seconds. */
  readonly rules?: Readonly<Record<string, number>>
  /** Node names in Prometheus. */
  readonly nodes?: () => readonly string[]
}

/** A fake Alertmanager and a fake Prometheus at one address; `FakeStackOptions` decides their answers. */
export interface FakeStack extends AsyncDisposable {
  readonly url: string
  /** Paths of the requests so far, with their query strings. */
  readonly requests: readonly string[]
}

export async function fakeStack({ alerts, rules = {}, nodes = () => [] }: FakeStackOptions = {}): Promise<FakeStack> {
  const requests: string[] = []
  const states = Object.entries(rules).map(([name, duration]) => ({ name, duration, health: 'ok', type: 'alerting' }))
  const answers: Readonly<Record<string, () => unknown>> = {
    '/api/v2/status': () => ({ uptime: 'now' }),
    '/api/v2/alerts': () => alertsResponse(alerts?.() ?? []),
    '/api/v1/rules': () => ({ data: { groups: [{ rules: states }] } }),
    '/api/v1/query': () => ({
      data: { result: nodes().map((name) => ({ metric: { mesh_node_name: name }, value: [0, '1'] })) },
    }),
  }
  const server = createServer(({ url = '' }, response) => {
    requests.push(url)
    const answer = answers[url.replace(/\?.*/, '')]?.() ?? 404
    response.statusCode = typeof answer === 'number' ? answer : 200
    // A connection that stays open would outlive its test.
    response.setHeader('connection', 'close')
    response.end(typeof answer === 'string' ? answer : JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

function alertsResponse(alerts: readonly FakeAlert[] | string | number): unknown {
  if (typeof alerts !== 'object') return alerts
  const at = '2030-01-01T00:00:00.000Z'
  const times = { startsAt: at, endsAt: at, updatedAt: at }
  return alerts.map(({ labels, annotations = {}, state }) => ({
    ...{ labels, annotations, ...times, fingerprint: 'f', receivers: [] },
    status: { state, silencedBy: [], inhibitedBy: [] },
  }))
}
