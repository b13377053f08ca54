import { maskUrl } from '../base/secrets.js';
import { parseCount, ValueError } from '../base/units.js';
import { cutUrl } from '../db/cut-url.js';
import { locateMysql } from '../db/mysql-place.js';
import { hostsOf, isLoopback, locatePostgres } from '../db/postgres-place.js';
import { parseTarget } from '../loadtest/workloads/registry.js';
import { PROTOCOL, type RunPlan } from './protocol.js';

/** Targets that an agent may put under load. null: any. */
export interface AllowRule {
  readonly scheme: string | null;
  /** `*.example.com` stands for all names below. */
  readonly host: string;
  readonly port: number | null;
}

export interface Trust {
  readonly rules: readonly AllowRule[];
  readonly allowWrites: boolean;
  readonly version: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Options that decide nothing but the load. Agents take no other, so that a run cannot read or write their files. */
const OPTIONS: ReadonlySet<string> = new Set([
  ...[
    'test-type',
    'num-queries',
    'num-workers',
    'duration',
    'drain-timeout',
    'iteration-timeout',
    'burst-size',
  ],
  ...[
    'num-bursts',
    'burst-interval',
    'rate',
    'max-in-flight',
    'rate-from',
    'rate-to',
    'rate-step',
    'step-duration',
  ],
  ...[
    'break-p99',
    'break-wait',
    'warmup',
    'seed',
    'engine',
    'query-type',
    'sql',
    'params',
    'define',
    'pgbouncer',
  ],
  ...[
    'prepare-threshold',
    'pipeline',
    'batch',
    'connect-timeout',
    'method',
    'body',
    'read-timeout',
    'retries',
  ],
  ...[
    'breaker',
    'http2',
    'max-keepalive',
    'keepalive-expiry',
    'header',
    'profile',
    'pool-size',
    'max-overflow',
  ],
  ...['pool-timeout', 'pool-recycle', 'pre-ping', 'threshold', 'strict'],
]);
/** Options whose files travel with the plan. */
export const FILE_OPTIONS: readonly string[] = ['sql-file', 'params-file', 'body-file', 'ca'];
/** Parameters of a URL that name files of the agent. */
const FILE_PARAMETERS = [
  'passfile',
  'sslcert',
  'sslkey',
  'sslrootcert',
  'service',
  'ssl-ca',
  'ssl-cert',
  'ssl-key',
];

/** Reads `db.example.com`, `*.example.com:5432`, `postgres://db:5432` or `sqlite:FILE`. Throws a ValueError. */
export function parseAllowRule(text: string): AllowRule {
  const given = text.trim();
  if (/^sqlite:./i.test(given)) return { scheme: 'sqlite', host: given, port: null };
  const [, scheme, bracketed, plain, port] =
    /^(?:([a-z][a-z0-9+.-]*):\/\/)?(?:\[([0-9a-f:.]+)\]|((?:\*\.)?[\w.-]+))(?::(\d{1,5}))?\/?$/i.exec(
      given,
    ) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined)
    throw new ValueError(
      `'${maskUrl(text)}' is no target, such as db.example.com, postgres://db:5432 or *.example.com`,
    );
  return {
    scheme:
      scheme
        ?.toLowerCase()
        .replace(/^postgresql$/, 'postgres')
        .replace(/^mariadb$/, 'mysql') ?? null,
    host: host.toLowerCase(),
    port: port === undefined ? null : parseCount(port, { least: 1, most: 65_535 }),
  };
}

export function showAllowRule({ scheme, host, port }: AllowRule): string {
  if (scheme === 'sqlite') return host;
  const name = host.includes(':') ? `[${host}]` : host;
  return `${scheme === null ? '' : `${scheme}://`}${name}${port === null ? '' : `:${port}`}`;
}

/** Whether the load leaves the machine of the agent; and why the agent refuses it, or null. */
export interface Judged {
  readonly isRemote: boolean;
  readonly refusal: string | null;
}

/** Judges a plan that came from the queue, which may be hostile. */
export async function judgePlan(plan: RunPlan, trust: Trust): Promise<Judged> {
  const refused = (refusal: string): Judged => ({ isRemote: false, refusal });
  if (plan.protocol !== PROTOCOL || plan.version !== trust.version)
    return refused(`it is poolctl ${trust.version}, and the coordinator is ${plan.version}`);
  const word = plan.words.find((one) => !isKnown(one));
  if (word !== undefined) return refused(`it takes no ${maskUrl(word.split('=')[0] ?? '')} from a queue`);
  const file = plan.files.find(({ flag, name, suffix }) => !isHarmless(flag, name, suffix));
  if (file !== undefined) return refused(`it takes no ${maskUrl(file.flag)} from a queue`);
  if (plan.allowWrites && !trust.allowWrites)
    return refused('the load may write, and the agent was not started with --allow-writes');
  if (plan.target === null) return { isRemote: false, refusal: null };
  try {
    return await judgeTarget(plan.target, trust);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return refused(`${maskUrl(plan.target)}: ${error.message}`);
  }
}

function isKnown(word: string): boolean {
  const [, name] = /^--(?:no-)?([a-z0-9-]+)(?:=|$)/.exec(word) ?? [];
  return name !== undefined && (OPTIONS.has(name) || OPTIONS.has(`no-${name}`));
}

function isHarmless(flag: string, name: string, suffix: string): boolean {
  return (
    FILE_OPTIONS.includes(flag.replace(/^--/, '')) && /^[\w.-]{1,100}$/.test(name) && /^(@\d+)?$/.test(suffix)
  );
}

interface Place {
  readonly host: string;
  readonly port: number | null;
}

async function judgeTarget(target: string, { rules, env }: Trust): Promise<Judged> {
  const shown = maskUrl(target);
  const { scheme, places } = placesOf(target, env);
  if (scheme === 'sqlite') {
    const isAllowed = rules.some((rule) => rule.scheme === 'sqlite' && rule.host === target);
    return { isRemote: false, refusal: isAllowed ? null : notAllowed(shown) };
  }
  const parameter = FILE_PARAMETERS.find((name) => new RegExp(`[?&]${name}=`, 'i').test(target));
  if (parameter !== undefined)
    return { isRemote: false, refusal: `the target names a file of the agent with ${parameter}` };
  let isRemote = false;
  for (const { host, port } of places) {
    if (rules.some((rule) => allows(rule, scheme, host, port))) {
      isRemote ||= !(await isLoopback(host));
      continue;
    }
    if (!(await isLoopback(host))) return { isRemote: true, refusal: notAllowed(shown) };
  }
  return { isRemote, refusal: null };
}

function notAllowed(shown: string): string {
  return `${shown} is not on the list of the agent (--allow-target)`;
}

function allows(rule: AllowRule, scheme: string, host: string, port: number | null): boolean {
  const name = host.toLowerCase();
  const isHost = rule.host.startsWith('*.') ? name.endsWith(rule.host.slice(1)) : name === rule.host;
  return (
    isHost && (rule.scheme === null || rule.scheme === scheme) && (rule.port === null || rule.port === port)
  );
}

const PORTS: Readonly<Record<string, number>> = { postgres: 5432, mysql: 3306, http: 80, https: 443 };

/** Every place that the target may connect to, as the environment of this machine completes it. Throws a ValueError. */
function placesOf(
  target: string,
  env: Readonly<Record<string, string | undefined>>,
): { readonly scheme: string; readonly places: readonly Place[] } {
  const parsed = parseTarget(target);
  switch (parsed.kind) {
    case 'postgres': {
      const { url } = locatePostgres(parsed.url, env);
      return { scheme: 'postgres', places: withPorts(url, hostsOf(url), 'postgres') };
    }
    case 'mysql': {
      const { url, hosts } = locateMysql(parsed.url, env);
      return { scheme: 'mysql', places: withPorts(url, hosts, 'mysql') };
    }
    case 'http': {
      const { protocol, hostname, port } = new URL(parsed.url);
      const scheme = protocol.slice(0, -1);
      const host = hostname.replace(/^\[|\]$/g, '');
      return { scheme, places: [{ host, port: port === '' ? (PORTS[scheme] ?? null) : Number(port) }] };
    }
    case 'sqlite':
      return { scheme: 'sqlite', places: [] };
    default:
      throw new ValueError('it is no target for agents');
  }
}

/** The URL is complete, and has its places in the same order. */
function withPorts(url: string, hosts: readonly string[], scheme: string): Place[] {
  const [, authority = ''] = /^[a-z]+:\/\/(?:[^/?#]*@)?([^/?#]*)/i.exec(url) ?? [];
  const ports = authority.split(',').map((one) => /:(\d+)$/.exec(one)?.[1]);
  const inQuery = new URLSearchParams(cutUrl(url)?.params).get('port')?.split(',') ?? [];
  return hosts.map((host, at) => {
    const port = ports[at] ?? inQuery[at] ?? inQuery[0];
    return { host, port: port ? Number(port) : (PORTS[scheme] ?? null) };
  });
}
