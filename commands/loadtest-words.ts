import { maskSecrets, maskUrl } from '../src/base/secrets.js';
import { commonOptions } from '../src/cli/common-options.js';
import { UsageError } from '../src/cli/errors.js';
import { flagOf } from '../src/cli/options.js';
import type { Target } from '../src/loadtest/workloads/registry.js';
import { type LoadContext, options } from './loadtest-options.js';

/** Options of this process and its report. A process that runs the load elsewhere has its own. */
const OWN: readonly string[] = [
  ...[
    'processes',
    'segment',
    'startAt',
    'runId',
    'emit',
    'image',
    'agents',
    'queue',
    'agentsTimeout',
    'abortErrors',
  ],
  ...['format', 'hdr', 'publish'],
  ...Object.keys(commonOptions),
];

/** An option as it was given: by flag, in the environment or in the config file. */
export interface GivenOption {
  readonly key: string;
  /** `--rate`, or `--no-pre-ping`. */
  readonly flag: string;
  /** null for a switch. */
  readonly text: string | null;
}

/**
 * The words of a command line that runs the same load elsewhere, without secrets. Options of the environment and of the
 * config file are written out. The password of the target is left out, because it comes from the environment of the
 * process that runs the words. Throws a UsageError where another word holds a secret.
 */
export function wordsOf(context: LoadContext): string[] {
  const target = targetOf(context);
  const words = givenOptions(context).flatMap(({ flag, text }) => (text === null ? [flag] : [flag, text]));
  return ['loadtest', ...(target === null ? [] : [target]), ...words];
}

/** All options of the load that were given. Throws a UsageError where one holds a secret. */
export function givenOptions({ texts }: LoadContext): GivenOption[] {
  const given = Object.entries(options).flatMap(([key, spec]): GivenOption[] => {
    const own = texts.get(key) ?? [];
    if (OWN.includes(key)) return [];
    if (spec.kind === 'flag')
      return own
        .slice(-1)
        .map((text) => ({ key, flag: text === 'false' ? negated(key) : flagOf(key), text: null }));
    return (spec.kind === 'list' ? own : own.slice(-1)).map((text) => ({ key, flag: flagOf(key), text }));
  });
  const secret = given.find(({ text }) => text !== null && maskSecrets(text) !== text);
  if (secret === undefined) return given;
  throw new UsageError([
    {
      message: `${secret.flag} holds a secret, which poolctl sends nowhere`,
      hint: 'only the password of the target can come from the environment of the segments',
    },
  ]);
}

/** The target without its password; null: a temporary SQLite file. Throws a UsageError where it holds another secret. */
export function targetOf({ arguments: { target } }: LoadContext): string | null {
  if (target === null || !('url' in target) || target.url === null) return null;
  const url = withoutPassword(target.url);
  if (maskUrl(url) === url) return url;
  throw new UsageError([
    {
      message: `the target ${maskUrl(url)} holds a secret, which poolctl sends nowhere`,
      hint: 'take it out of the URL; segments read it from PGPASSWORD, MYSQL_PWD or a password file',
    },
  ]);
}

/** Variables with a secret of the target, for each kind of target. */
export function secretsOf(target: Target | null): string[] {
  return target?.kind === 'postgres' ? ['PGPASSWORD'] : target?.kind === 'mysql' ? ['MYSQL_PWD'] : [];
}

/** Removes the password in front of the host. One in a parameter stays, and is refused. */
function withoutPassword(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/[^/?#@:]*):.*@/is, '$1@');
}

function negated(key: string): string {
  return flagOf(key).replace(/^--/, '--no-');
}
