/** The note on a connection of postgres.js, which has no state of its own to read. */
export interface ConnectionState {
  /** Queries that it has sent, and that have no answer yet. */
  running: number;
  /** The process that serves it. */
  backend: { readonly pid?: unknown } | null;
  /** null while it does not connect. */
  connectingSince: number | null;
}

export const STATE = Symbol('poolctl.state');

/** The observed state of a lent connection; null if it does not belong to postgres.js. */
export function connectionState(resource: object): { busy: boolean; backendPid: number | null } | null {
  const state = (resource as { readonly [STATE]?: ConnectionState })[STATE];
  if (state === undefined) return null;
  const { pid } = state.backend ?? {};
  return { busy: state.running > 0, backendPid: typeof pid === 'number' ? pid : null };
}
