import { useRef, useState } from 'preact/hooks'

interface Held<T> {
  readonly shown: T
  readonly isHeld: boolean
  /** Properties of the element that holds what it shows. */
  readonly props: {
    readonly onMouseEnter: () => void
    readonly onMouseLeave: () => void
    readonly onFocusIn: () => void
    readonly onFocusOut: () => void
  }
}

/** Keeps what an element shows while the pointer or the focus is in it, so that nothing moves away from the user. */
export function useHeld<T>(current: T): Held<T> {
  const holders = useRef(new Set<'pointer' | 'focus'>())
  const [held, setHeld] = useState<{ readonly value: T } | undefined>(undefined)
  const hold = (by: 'pointer' | 'focus') => {
    holders.current.add(by)
    setHeld((before) => before ?? { value: current })
  }
  const release = (by: 'pointer' | 'focus') => {
    holders.current.delete(by)
    if (holders.current.size === 0) setHeld(undefined)
  }
  return {
    shown: held === undefined ? current : held.value,
    isHeld: held !== undefined,
    props: {
      onMouseEnter: () => hold('pointer'),
      onMouseLeave: () => release('pointer'),
      onFocusIn: () => hold('focus'),
      onFocusOut: () => release('focus'),
    },
  }
}
