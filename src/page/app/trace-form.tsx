import { useState } from 'preact/hooks'
import { hrefOf } from '../model/route.ts'
import { reader } from './ask.ts'
import { useLoaded } from './use-loaded.ts'

interface TraceFormProps {
  readonly services: readonly string[]
  readonly asked: Readonly<Record<string, string>>
}

const lookBacks: readonly (readonly [minutes: string, text: string])[] = [
  ['5', '5 minutes'],
  ['15', '15 minutes'],
  ['60', 'an hour'],
  ['360', '6 hours'],
  ['1440', 'a day'],
  ['10080', 'a week'],
]

export function TraceForm({ services, asked }: TraceFormProps) {
  const [service, setService] = useState(asked['service'] ?? '')
  const names = useLoaded(service === '' ? undefined : service, () => reader.operations(service))
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    const chosen = new FormData(event.currentTarget as HTMLFormElement)
    const params = Object.fromEntries([...chosen].map(([key, value]) => [key, String(value).trim()]))
    // The same question again is asked again: what it finds may be newer.
    location.hash = hrefOf('traces', undefined, { ...params, at: String(Date.now()) })
  }
  return (
    <form class="card row" onSubmit={submit} aria-label="Search traces">
      <label>
        Service
        <select name="service" value={service} onChange={({ currentTarget }) => setService(currentTarget.value)}>
          {[...new Set([...services, ...(service === '' ? [] : [service])])].map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      <label>
        Span
        <select name="span" value={asked['span'] ?? ''}>
          <option value="">any</option>
          {[...new Set([...(names.value ?? []), ...(asked['span'] ? [asked['span']] : [])])].sort().map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      <label class="grow">
        Attributes
        <input
          name="attributes"
          value={asked['attributes'] ?? ''}
          placeholder="mesh.node.name=seed-a1 mesh.dial.stage=dial"
          spellcheck={false}
          autocomplete="off"
          autocapitalize="off"
        />
      </label>
      <label>
        Within
        <select name="back" value={asked['back'] ?? ''}>
          {lookBacks.map(([minutes, text]) => (
            <option key={minutes} value={minutes}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <label>
        At most
        <select name="limit" value={asked['limit'] ?? ''}>
          {['20', '50', '100', '200'].map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      <button type="submit">Search</button>
    </form>
  )
}
