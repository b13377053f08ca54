import { STATUS_CODES } from 'node:http';

/** A response with a status from 400. Counted by its class: `HTTP_5xx`. */
export class StatusError extends Error {
  readonly code: string;

  constructor(status: number, statusText = '') {
    const words = statusText === '' ? (STATUS_CODES[status] ?? '') : statusText;
    super(`the server answered ${status} ${words}`.trimEnd());
    this.name = 'StatusError';
    this.code = `HTTP_${Math.floor(status / 100)}xx`;
  }
}
