import { ValueError } from '../base/units.js';

export interface PublishPort {
  readonly host: string;
  readonly port: number;
}

/** Reads `127.0.0.1:9876`. Throws a ValueError for an address that other machines can reach: SQL texts are shown. */
export function parsePublishPort(text: string): PublishPort {
  const [, host = '', digits = ''] = /^(.*):(\d{1,5})$/.exec(text.trim()) ?? [];
  const plain = host.replace(/^\[(.*)\]$/, '$1');
  const port = Number(digits);
  if (digits === '' || port > 65_535) throw new ValueError(`'${text}' is not an address like 127.0.0.1:9876`);
  if (plain !== '::1' && plain !== 'localhost' && !/^127(\.\d{1,3}){3}$/.test(plain)) {
    throw new ValueError(`'${text}' can be reached from elsewhere; only 127.0.0.1 and ::1 are published on`);
  }
  return { host: plain === 'localhost' ? '127.0.0.1' : plain, port };
}
