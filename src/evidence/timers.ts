import type { Runtime, Session } from 'node:inspector'

export interface TimerCounts {
  /** Timers that keep the process alive. */
  readonly referenced: number
  /** Timers that do not, which `process.getActiveResourcesInfo` does not list. */
  readonly unreferenced: number
}

/** Timers of one duration that call functions of one name. */
export interface TimerGroup {
  /** Milliseconds. */
  readonly duration: number
  /** Name of the function, or the start of its text. */
  readonly run: string
  readonly count: number
  readonly referenced: number
}

/** Timers that a reading counts at most; it takes about 10 ms for so many. */
export const maxTimers = 100_000

/** Node keeps its timers in one ring per duration, which begins and ends at the list itself. */
interface TimersList {
  readonly _idleNext?: TimerNode
}

interface TimerNode extends TimersList {
  readonly _idleTimeout?: number
  readonly _onTimeout?: unknown
  hasRef?(): boolean
}

type TimerTable = Readonly<Record<string, TimersList>>

/**
 * Counts the timers of this process, those of Node itself and of libraries included. It reads Node's own table, so a
 * timer costs nothing more; neither an API of Node nor `async_hooks`, at a bearable price, counts the unreferenced ones.
 */
export class TimerReader {
  readonly #table: TimerTable

  constructor(table: TimerTable) {
    this.#table = table
  }

  /**
   * Looks up the table with a session of the inspector, in some 4 ms and only here; it enables no domain. Undefined in a
   * Node.js without inspector, or that keeps its timers otherwise.
   */
  static async open(find: (session: Session) => unknown = findTable): Promise<TimerReader | undefined> {
    try {
      const inspector = await import('node:inspector')
      const session = new inspector.Session()
      session.connect()
      try {
        const table = find(session)
        const reader = new TimerReader((table ?? {}) as TimerTable)
        return sees(reader) ? reader : undefined
      } finally {
        session.disconnect()
      }
    } catch {
      return undefined
    }
  }

  count(): TimerCounts {
    let [referenced, unreferenced] = [0, 0]
    for (const timer of this.#timers()) {
      if (timer.hasRef?.() === true) referenced++
      else unreferenced++
    }
    return { referenced, unreferenced }
  }

  /** The most frequent first. */
  groups(): TimerGroup[] {
    const groups = Map.groupBy(this.#timers(), (timer) => `${timer._idleTimeout} ${describe(timer._onTimeout)}`)
    return Array.from(groups.values(), (timers) => ({
      duration: timers[0]?._idleTimeout ?? 0,
      run: describe(timers[0]?._onTimeout),
      count: timers.length,
      referenced: timers.filter((timer) => timer.hasRef?.() === true).length,
    })).sort((a, b) => b.count - a.count)
  }

  *#timers(): Generator<TimerNode> {
    let count = 0
    for (const list of Object.values(this.#table)) {
      for (let timer = list._idleNext; timer !== undefined && timer !== list; timer = timer._idleNext) {
        if (++count > maxTimers) return
        yield timer
      }
    }
  }
}

const textLength = 60

function describe(run: unknown): string {
  if (typeof run !== 'function') return '(none)'
  return run.name || `${run}`.replace(/\s+/g, ' ').slice(0, textLength)
}

/** The variable of Node's module `timers` with the lists by duration. */
const variable = 'timerListMap'
const handover = Symbol.for('tracemesh.timers')

/** The scopes of `setTimeout` have the variables of its module. */
function findTable(session: Session): unknown {
  const { result: setTimeout } = post(session, 'Runtime.evaluate', {
    expression: `process.getBuiltinModule('node:timers').setTimeout`,
  })
  const scopes = propertiesOf(session, setTimeout).internalProperties?.find(({ name }) => name === '[[Scopes]]')
  for (const scope of propertiesOf(session, scopes?.value).result) {
    if (scope.value?.description?.startsWith('Closure') !== true) continue
    const { value } = propertiesOf(session, scope.value).result.find(({ name }) => name === variable) ?? {}
    if (value?.objectId !== undefined) return takeObject(session, value.objectId)
  }
  return undefined
}

/** The inspector has the object, and this code has no other way to it than a global variable. */
function takeObject(session: Session, objectId: string): unknown {
  const holder = globalThis as unknown as Record<symbol, unknown>
  const functionDeclaration = `function () { globalThis[Symbol.for('${handover.description}')] = this }`
  try {
    post(session, 'Runtime.callFunctionOn', { objectId, functionDeclaration })
    return holder[handover]
  } finally {
    delete holder[handover]
  }
}

function propertiesOf(session: Session, object: Runtime.RemoteObject | undefined): Runtime.GetPropertiesReturnType {
  if (object?.objectId === undefined) return { result: [] }
  return post(session, 'Runtime.getProperties', { objectId: object.objectId, ownProperties: true })
}

interface Methods {
  'Runtime.evaluate': [Runtime.EvaluateParameterType, Runtime.EvaluateReturnType]
  'Runtime.getProperties': [Runtime.GetPropertiesParameterType, Runtime.GetPropertiesReturnType]
  'Runtime.callFunctionOn': [Runtime.CallFunctionOnParameterType, Runtime.CallFunctionOnReturnType]
}

/** A session of this very process calls back before `post` returns. Throws the error of the inspector. */
function post<M extends keyof Methods>(session: Session, method: M, parameters: Methods[M][0]): Methods[M][1] {
  let outcome: { readonly error: Error | null; readonly result: Methods[M][1] } | undefined
  session.post(method, parameters, (error: Error | null, result?: object) => {
    outcome = { error, result: result as Methods[M][1] }
  })
  if (outcome === undefined) throw new Error(`the inspector does not answer ${method}`)
  if (outcome.error !== null) throw outcome.error
  return outcome.result
}

/** Whether a new timer shows in the counts: another version of Node may keep its timers otherwise. */
function sees(reader: TimerReader): boolean {
  const before = reader.count()
  const probe = setTimeout(() => {}, 1).unref()
  const after = reader.count()
  clearTimeout(probe)
  return after.unreferenced === before.unreferenced + 1 && after.referenced === before.referenced
}
