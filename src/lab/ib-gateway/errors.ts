import { CodedError, type CodedErrorOptions } from '../../base/coded-error.js';

export type GatewayErrorCode = 'ERR_IB_GATEWAY_LISTEN' | 'ERR_IB_GATEWAY_OPTION' | 'ERR_IB_GATEWAY_CONTROL';

/** An error that keeps the simulated gateway from starting, or a program from talking to it. */
export class GatewayError extends CodedError<GatewayErrorCode> {
  constructor(code: GatewayErrorCode, message: string, options: CodedErrorOptions = {}) {
    super(code, message, { kind: code === 'ERR_IB_GATEWAY_OPTION' ? 'usage' : 'unavailable', ...options });
    this.name = 'GatewayError';
  }

  static listening(cause: unknown, host: string, port: number): GatewayError {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    const hint = LISTEN_HINTS[code];
    return new GatewayError('ERR_IB_GATEWAY_LISTEN', `cannot listen at ${host}:${port} (${code})`, {
      cause,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

const LISTEN_HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'something listens there already: choose another port, or 0 for any that is free',
  EACCES: 'ports below 1024 belong to the administrator: choose another, or 0 for any that is free',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'this machine knows no such name',
};
