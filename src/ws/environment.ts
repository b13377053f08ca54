import { type ProxyEnvironment, proxyFromEnvironment } from '../base/proxy-environment.js';
import { FeedError } from './errors.js';

export type FeedVariable = 'MAX_SYMBOLS_PER_WEBSOCKET' | 'MAX_WEBSOCKET_CONNECTIONS';

/** The proxy of a dial: `env` stands for what HTTP_PROXY, HTTPS_PROXY and NO_PROXY say of the URL. null: none. */
export function proxyOfDial(
  proxy: string | null,
  url: string,
  env: ProxyEnvironment = process.env,
): string | null {
  return proxy === 'env' ? proxyFromEnvironment(new URL(url), env) : proxy;
}

/** A setting that the command line takes from the environment too; null if it is not set. Throws ERR_FEED_OPTION. */
export function fromEnvironment(
  name: FeedVariable,
  variables: Readonly<Record<string, string | undefined>> = process.env,
): number | null {
  const text = variables[name];
  if (text === undefined || text.trim() === '') return null;
  const value = /^\s*\d+\s*$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new FeedError(
    'ERR_FEED_OPTION',
    `${name} is ${JSON.stringify(text)}; it must be a whole number from 1`,
  );
}
