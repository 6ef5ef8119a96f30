/** The data of the HTTP API: each call returns the current state as plain JSON values. */
export interface AdminSource {
  health(): object
  /** `why` explains the answer in words. */
  ready(): { readonly ready: boolean; readonly why: string }
  inventory(): unknown
  topology(): unknown
  seeds(): unknown
  messages(): unknown
  /** Publishes a text on a topic; `raw`: without a header. Rejects with MESH_MESSAGE_TOO_LARGE. */
  publish(topic: string, text: string, options: { readonly raw: boolean }): Promise<object>
}
