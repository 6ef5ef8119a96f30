/** Replaces a method of a class for the whole process, before its instances exist. */
export function replaceMethod<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  create: (original: T[K]) => T[K],
): void {
  prototype[name] = create(prototype[name])
}
