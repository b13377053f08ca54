const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'part of its path is not a directory',
  EISDIR: 'it is a directory',
  EEXIST: 'it exists already',
  ENOTEMPTY: 'it is not empty',
  EBUSY: 'it is in use',
  ENAMETOOLONG: 'its name is too long',
  ELOOP: 'its links lead in a circle',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'it would become too large',
  EIO: 'the device reports an error',
  EXDEV: 'it is on another device',
};

const MISSING = 'there is no such file';

/** Why the system refused a file, as a clause: `permission denied`. `missing` is what ENOENT means here. */
export function fileFault(error: unknown, missing = MISSING): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return code === 'ENOENT' ? missing : (REASONS[code] ?? code);
}

const NETWORK: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such socket',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was reset',
  ECONNABORTED: 'the connection was aborted',
  EPIPE: 'the other side closed the connection',
  ETIMEDOUT: 'no answer in time',
  EHOSTUNREACH: 'the host cannot be reached',
  EHOSTDOWN: 'the host is down',
  ENETUNREACH: 'the network cannot be reached',
  ENETDOWN: 'the network is down',
  EADDRINUSE: 'the address is in use',
  EADDRNOTAVAIL: 'this machine has no such address',
};

/** Plain verbs for the system's names of operations. */
const VERBS: Readonly<Record<string, string>> = {
  scandir: 'read',
  lstat: 'read',
  stat: 'read',
  fstat: 'read',
  unlink: 'remove',
  rmdir: 'remove',
  mkdir: 'create',
  fsync: 'write',
  ftruncate: 'write',
};

/**
 * Replaces the system's messages within a text by plain words. Their codes stay, to be searched for:
 * `connect ECONNREFUSED 10.0.0.1:5432` becomes `connection refused by 10.0.0.1:5432 (ECONNREFUSED)`.
 */
export function withoutSystemWords(text: string): string {
  if (!/\bE[A-Z_]{3,}\b/.test(text)) return text;
  return text
    .replace(
      /\b(E[A-Z]{2,}): [^,\n']{1,80}, mkdtemp '([^'\n]*)[\\/][^'\n]*'/g,
      (_all, code: string, folder: string) =>
        `cannot create a temporary folder in ${folder}: ${fileFault(code, 'there is no such folder')} (${code}); check TMPDIR`,
    )
    .replace(
      /\b(E[A-Z]{2,}): [^,\n']{1,80}, (\w+)(?: '([^'\n]*)')?(?: -> '([^'\n]*)')?/g,
      (_all, code: string, call: string, path = '') =>
        `cannot ${VERBS[call] ?? call}${path === '' ? '' : ` ${path}`}: ${fileFault(code)} (${code})`,
    )
    .replace(
      /\bgetaddrinfo (E[A-Z_]+)(?: ([^\s,;)]+))?/g,
      (_all, code: string, host = '') =>
        `${code === 'ENOTFOUND' ? 'there is no host' : 'cannot look up the host'}${host === '' ? '' : ` ${host}`} (${code})`,
    )
    .replace(
      /\b(?:connect|read|write|listen|bind|send|shutdown) (E[A-Z]{3,})(?:: [a-z ]+(?= |$))?(?: ((?:[\w.:[\]-]+:\d+|\/)[^\s,;)]*))?/g,
      (all: string, code: string, place = '') => {
        const words = NETWORK[code] ?? fileFault(code);
        const isNamed = place === '' || text.replace(all, '').includes(place);
        const by = code === 'ECONNREFUSED' ? 'by' : 'at';
        return `${words === code ? 'the system failed' : words}${isNamed ? '' : ` ${by} ${place}`} (${code})`;
      },
    )
    .replace(
      /\bspawn (\S+) (E[A-Z]{3,})\b/g,
      (_all, program: string, code: string) =>
        `cannot start ${program}: ${fileFault(code, 'there is no such program')} (${code})`,
    );
}
