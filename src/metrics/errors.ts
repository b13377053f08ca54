import { CodedError } from '../base/coded-error.js';

/** The exporter cannot listen where it was told to. */
export class ListenError extends CodedError<'ERR_METRICS_LISTEN'> {
  constructor(message: string, options: { cause: unknown; hint: string | null }) {
    super('ERR_METRICS_LISTEN', message, options);
    this.name = 'ListenError';
  }
}
