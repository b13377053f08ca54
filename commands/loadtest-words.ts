import { maskSecrets, maskUrl } from '../src/base/secrets.js';
import { commonOptions } from '../src/cli/common-options.js';
import { UsageError } from '../src/cli/errors.js';
import { flagOf } from '../src/cli/options.js';
import type { Target } from '../src/loadtest/workloads/registry.js';
import { type LoadContext, options } from './loadtest-options.js';

/** Options of this process and its report. A process that runs the load elsewhere has its own. */
const OWN: readonly string[] = [
  ...['processes', 'segment', 'startAt', 'runId', 'emit', 'image', 'format', 'hdr', 'publish'],
  ...Object.keys(commonOptions),
];

/**
 * The words of a command line that runs the same load elsewhere, without secrets. Options of the environment and of the
 * config file are written out. The password of the target is left out, because it comes from the environment of the
 * process that runs the words. Throws a UsageError where another word holds a secret.
 */
export function wordsOf({ texts, arguments: { target } }: LoadContext): string[] {
  const words = Object.entries(options).flatMap(([key, spec]) => {
    const given = texts.get(key) ?? [];
    if (OWN.includes(key)) return [];
    if (spec.kind === 'flag')
      return given.slice(-1).map((text) => (text === 'false' ? negated(key) : flagOf(key)));
    return (spec.kind === 'list' ? given : given.slice(-1)).flatMap((text) => [flagOf(key), text]);
  });
  const secret = words.findIndex((word) => maskSecrets(word) !== word);
  if (secret >= 0)
    throw new UsageError([
      {
        message: `${words[secret - 1]} holds a secret, which poolctl sends nowhere`,
        hint: 'only the password of the target can come from the environment of the segments',
      },
    ]);
  return ['loadtest', ...targetWords(target), ...words];
}

/** Variables with a secret of the target, for each kind of target. */
export function secretsOf(target: Target | null): string[] {
  return target?.kind === 'postgres' ? ['PGPASSWORD'] : target?.kind === 'mysql' ? ['MYSQL_PWD'] : [];
}

function targetWords(target: Target | null): string[] {
  if (target === null || !('url' in target) || target.url === null) return [];
  const url = withoutPassword(target.url);
  if (maskUrl(url) !== url) {
    throw new UsageError([
      {
        message: `the target ${maskUrl(url)} holds a secret, which poolctl sends nowhere`,
        hint: 'take it out of the URL; segments read it from PGPASSWORD, MYSQL_PWD or a password file',
      },
    ]);
  }
  return [url];
}

/** Removes the password in front of the host. One in a parameter stays, and is refused. */
function withoutPassword(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/[^/?#@:]*):.*@/is, '$1@');
}

function negated(key: string): string {
  return flagOf(key).replace(/^--/, '--no-');
}
