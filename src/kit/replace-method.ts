/** Replaces a method; the result restores the original. */
export function replaceMethod<O extends object, K extends keyof O & string>(
  target: O,
  name: K,
  wrap: (original: O[K]) => O[K],
): () => void {
  const original = target[name]
  const isOwn = Object.hasOwn(target, name)
  const replacement = wrap((original as CallableFunction).bind(target) as O[K])
  Object.assign(target, { [name]: replacement })
  return () => {
    if (target[name] !== replacement) return
    if (isOwn) Object.assign(target, { [name]: original })
    else Reflect.deleteProperty(target, name)
  }
}
