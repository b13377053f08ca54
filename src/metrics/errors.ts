/** The exporter cannot listen where it was told to. */
export class ListenError extends Error {
  readonly code = 'ERR_METRICS_LISTEN';
  readonly hint: string | null;

  constructor(message: string, options: { cause: unknown; hint: string | null }) {
    super(message, { cause: options.cause });
    this.name = 'ListenError';
    this.hint = options.hint;
  }
}
