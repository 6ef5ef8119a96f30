// Tests speak OTLP by the same client as the product's own drills.
export * from '../store/otlp-client.ts'
