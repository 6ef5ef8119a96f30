/** What the HTTP API shows of a node. Each call is answered from what is held now, as plain JSON values. */
export interface AdminSource {
  health(): object
  /** `why` says in words what is there or missing. */
  ready(): { readonly ready: boolean; readonly why: string }
  inventory(): unknown
  topology(): unknown
  seeds(): unknown
  messages(): unknown
  /** Sends a text to all who listen to a topic; `raw`: without a header. Rejects with MESH_MESSAGE_TOO_LARGE. */
  publish(topic: string, text: string, options: { readonly raw: boolean }): Promise<object>
}
