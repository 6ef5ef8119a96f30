import { useLayoutEffect, useState } from 'preact/hooks'
import { parseRoute, type Route } from '../model/route.ts'

export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash))
  useLayoutEffect(() => {
    const changed = () => setRoute(parseRoute(location.hash))
    window.addEventListener('hashchange', changed)
    // It may have changed between the first drawing and now.
    changed()
    return () => window.removeEventListener('hashchange', changed)
  }, [])
  return route
}
