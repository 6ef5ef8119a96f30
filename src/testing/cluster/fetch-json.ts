import { get } from 'node:http'

const limitMs = 5_000

/**
 * Fetches JSON from an HTTP API. Rejects without an answer and on any status but 200. Without a connection pool, whose
 * connections would outlive the server process.
 */
export function fetchJson<T>(url: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, timeout: limitMs }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(body) as T)
        else reject(new Error(`${url} answered ${response.statusCode}: ${body.slice(0, 200)}`))
      })
    })
    request.on('timeout', () => request.destroy(new Error(`${url} did not answer within ${limitMs} ms`)))
    request.on('error', reject)
  })
}
