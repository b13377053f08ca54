import { closest } from '../base/closest.js';
import { maskUrl } from '../base/secrets.js';

const SCHEMES = ['postgres', 'postgresql', 'sqlite', 'mysql', 'mariadb'];
const KNOWN = /^(?:pool|prometheus|pgbouncer|https?|wss?|mongodb(?:\+srv)?|redis|file|mssql|oracle)$/i;

/** The characters of a host, or after a user's password. */
const MYSQL_PORT = /^[^/?]*:330[67](?:[/?]|$)/;

/**
 * The URL that was probably meant by one with a typo, with its password masked; null where there is no guess:
 * `postgress://`, `postgres//`, `postgresql:/host`, `localhost:5432`, `user:password@host/database`. `others` are
 * schemes that the caller reads as well.
 */
export function suggestUrl(text: string, others: readonly string[] = []): string | null {
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+_-]*?)(?::\/{0,3}|\/\/)(.*)$/is.exec(text) ?? [];
  const isRight = /^(?:mysql|mariadb):\/\//i.test(text);
  if (KNOWN.test(scheme) || isRight || /^[a-z]:[\\/]/i.test(text)) return null;
  const hasSlashes = /^[a-z0-9+_-]+:?\/\//i.test(text);
  const meant = scheme.length < 4 ? null : closest(scheme, SCHEMES);
  if (meant !== null && (hasSlashes || /^(?:postgres(?:ql)?|mysql|mariadb)$/i.test(scheme))) {
    return meant === 'sqlite' ? `sqlite:${maskUrl(rest)}` : maskUrl(`${meant}://${rest.replace(/^\/+/, '')}`);
  }
  const other = scheme.length < 3 || /^[\w.-]+:\d{1,5}(?:\/|$)/.test(text) ? null : closest(scheme, others);
  if (other !== null) return maskUrl(`${other}:${text.slice(scheme.length).replace(/^:/, '')}`);
  if (hasSlashes) return null;
  // A host with a port, or a user with a password at a host.
  const isPlace =
    /^[\w.-]+:\d{1,5}(?:\/[\w-]*)?(?:\?.*)?$/.test(text) ||
    /^[^\s/:@]+(?::.*)?@[\w.-]+(?::\d+)?(?:\/|$)/s.test(text);
  return isPlace || /^localhost(?:\/|$)/i.test(text)
    ? maskUrl(`${MYSQL_PORT.test(text) ? 'mysql' : 'postgres'}://${text}`)
    : null;
}
