import { codeStep, type Finding, forEach, knownOrNull, pass, warn } from '../outcome.js';
import { compareVersions } from '../pooler-facts.js';
import type { Check, PgBouncerTarget } from '../types.js';

/** A hole, from the changelog of PgBouncer. */
interface Hole {
  readonly id: string;
  /** The first version that has it; null: all before `fixed`. */
  readonly since: string | null;
  readonly fixed: string;
  readonly what: string;
  /** Whether this configuration is open to it; not there: every one is. */
  isOpen?(config: (key: string) => string): boolean;
}

const HOLES: readonly Hole[] = [
  {
    ...{ id: 'CVE-2026-107350', since: '1.17.0', fixed: '1.26.1' },
    what: 'a user with SCRAM can be impersonated by anyone who knows one password',
    isOpen: (config) => ['scram-sha-256', 'md5', 'hba'].includes(config('auth_type')),
  },
  {
    ...{ id: 'CVE-2026-107349', since: '1.20.0', fixed: '1.26.1' },
    what: 'anybody can put it into an endless loop with a startup parameter',
    isOpen: (config) => {
      const ignored = config('ignore_startup_parameters').split(/[,\s]+/);
      return ignored.some((name) => name !== '') && !ignored.includes('options');
    },
  },
  {
    ...{ id: 'CVE-2026-6664', since: null, fixed: '1.25.2' },
    what: 'anybody can crash it with a malformed SCRAM message',
  },
  {
    ...{ id: 'CVE-2026-6665', since: null, fixed: '1.25.2' },
    what: 'a malicious server can overflow its stack',
  },
  {
    ...{ id: 'CVE-2026-6666', since: null, fixed: '1.25.2' },
    what: 'a malicious server can crash it',
  },
  {
    ...{ id: 'CVE-2026-6667', since: '1.24.0', fixed: '1.25.2' },
    what: 'users in stats_users can disconnect clients with KILL_CLIENT',
    isOpen: (config) => config('stats_users') !== '',
  },
  {
    ...{ id: 'CVE-2025-12819', since: '1.20.0', fixed: '1.25.1' },
    what: 'anybody can run SQL as auth_user with a search_path',
    isOpen: (config) => config('auth_user') !== '' && /search_path/i.test(config('track_extra_parameters')),
  },
  {
    ...{ id: 'CVE-2025-2291', since: null, fixed: '1.24.1' },
    what: 'expired passwords (VALID UNTIL) still work',
    isOpen: (config) => config('auth_user') !== '' && !/valuntil/i.test(config('auth_query')),
  },
  {
    ...{ id: 'CVE-2021-3935', since: null, fixed: '1.16.1' },
    what: 'an attacker on the network can inject SQL into a connection with a certificate',
    isOpen: (config) => config('auth_type') === 'cert',
  },
];

export const poolerVersion: Check = {
  id: 'pooler-version',
  title: 'this version of PgBouncer has no known vulnerability that its configuration exposes',
  needs: ['pgbouncer'],
  why: 'A pooler stands in front of every database, and some vulnerabilities need no password.',
  details:
    `The list has ${HOLES.length} vulnerabilities: ${HOLES.map(({ id }) => id).join(', ')}. If a setting ` +
    'exposes one, it is reported only with that setting. The result is a warning, because distributions ' +
    "repair packages without a new version number: read the package's changelog.",
  run: forEach('pgbouncer', (target) => versionFinding(target)),
};

/** By version and settings alone, so that versions that are not at hand can be judged too. */
export function versionFinding(target: Pick<PgBouncerTarget, 'version' | 'config' | 'label'>): Finding {
  const { version } = target;
  const config = (key: string): string => knownOrNull(target.config)?.get(key) ?? '';
  const open = HOLES.filter(
    ({ since, fixed, isOpen }) =>
      compareVersions(version, fixed) < 0 &&
      (since === null || compareVersions(version, since) >= 0) &&
      (isOpen?.(config) ?? true),
  );
  if (open.length === 0) return pass(`PgBouncer ${version}`);
  const wanted = open.reduce((most, { fixed }) => (compareVersions(fixed, most) > 0 ? fixed : most), '0.0.0');
  return warn(
    `PgBouncer ${version} may have ${open.length} known ` +
      `${open.length === 1 ? 'vulnerability' : 'vulnerabilities'}`,
    open.map(({ id, what, fixed }) => `${id}: ${what} (fixed in ${fixed})`),
    {
      steps: [
        codeStep(
          `Upgrade PgBouncer to ${wanted} or later, or to a package of your distribution whose changelog ` +
            'lists these numbers. Until then, let only the applications reach its port.',
          target,
        ),
      ],
      risk:
        'The restart disconnects all clients, unless you use rolling restarts (1.23 and later). From 1.24, ' +
        'named statements are on by default (max_prepared_statements = 200).',
    },
  );
}
