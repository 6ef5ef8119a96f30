import { useLayoutEffect, useState } from 'preact/hooks'
import { hrefOf } from '../model/route.ts'
import { reader } from './api.ts'
import { useLoaded } from './use-loaded.ts'

type Fields = Readonly<Record<string, string>>

interface TraceFormProps {
  readonly services: readonly string[]
  readonly query: Fields
  /** A new address discards unsubmitted edits. */
  readonly address: string
}

const lookbacks: readonly (readonly [minutes: string, text: string])[] = [
  ['5', '5 minutes'],
  ['15', '15 minutes'],
  ['60', 'an hour'],
  ['360', '6 hours'],
  ['1440', 'a day'],
  ['10080', 'a week'],
]

/** The current query with unsubmitted edits on top: the page renders every second and must not undo them. */
export function TraceForm({ services, query, address }: TraceFormProps) {
  const [edits, setEdits] = useState<Fields>({})
  useLayoutEffect(() => setEdits({}), [address])
  const fields: Fields = { ...query, ...edits }
  const { service = '', span = '', attributes = '', back = '', limit = '' } = fields
  const names = useLoaded(service === '' ? undefined : service, () => reader.operations(service))
  const edit = ({ currentTarget: { name, value } }: { readonly currentTarget: HTMLInputElement | HTMLSelectElement }) =>
    setEdits((before) => ({ ...before, [name]: value }))
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    // The timestamp repeats an unchanged query: its results may be newer.
    const params = { service, span, attributes: attributes.trim(), back, limit, at: String(Date.now()) }
    location.hash = hrefOf('traces', undefined, params)
  }
  return (
    <form class="card row" onSubmit={submit} aria-label="Search traces">
      <label>
        Service
        <select name="service" value={service} onChange={edit}>
          {optionsWith(services, service).map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      <label>
        Span
        <select name="span" value={span} onChange={edit}>
          <option value="">any</option>
          {optionsWith(names.value ?? [], span)
            .sort()
            .map((one) => (
              <option key={one}>{one}</option>
            ))}
        </select>
      </label>
      <label class="grow">
        Attributes
        <input
          name="attributes"
          value={attributes}
          onInput={edit}
          placeholder="mesh.node.name=seed-a1 mesh.dial.stage=dial"
          spellcheck={false}
          autocomplete="off"
          autocapitalize="off"
        />
      </label>
      <label>
        Within
        <select name="back" value={back} onChange={edit}>
          {lookbacks.map(([minutes, text]) => (
            <option key={minutes} value={minutes}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <label>
        At most
        <select name="limit" value={limit} onChange={edit}>
          {['20', '50', '100', '200'].map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      <button type="submit">Search</button>
    </form>
  )
}

/** All options, plus the selected one if it is not among them. */
function optionsWith(all: readonly string[], selected: string): string[] {
  return [...new Set([...all, ...(selected === '' ? [] : [selected])])]
}
