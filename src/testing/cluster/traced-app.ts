import { ProxyTracerProvider, trace } from '@opentelemetry/api'
import { TracerProvider } from '@opentelemetry/sdk-trace'

// The plain application in a process with its own tracer provider; on SIGUSR2 it prints whether that is unchanged.

const names: string[] = []
const onStart = ({ name }: { readonly name: string }) => void names.push(name)
const nothing = async () => {}
const own = new TracerProvider({
  spanProcessors: [{ onStart, onEnd: () => {}, forceFlush: nothing, shutdown: nothing }],
})
trace.setGlobalTracerProvider(own)
await import('./plain-app.ts')
process.on('SIGUSR2', () => {
  trace.getTracer('app').startSpan('work of the app').end()
  const global = trace.getTracerProvider()
  const untouched = global instanceof ProxyTracerProvider && global.getDelegate() === own
  process.stdout.write(`${JSON.stringify({ ownSpans: names, untouched })}\n`)
})
