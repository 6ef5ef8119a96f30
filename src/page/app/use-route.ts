import { useLayoutEffect, useState } from 'preact/hooks'
import { parseRoute, type Route } from '../model/route.ts'

export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash))
  useLayoutEffect(() => {
    const onHashChange = () => setRoute(parseRoute(location.hash))
    window.addEventListener('hashchange', onHashChange)
    // The address may have changed since the first render.
    onHashChange()
    return () => window.removeEventListener('hashchange', onHashChange)
  }, [])
  return route
}
