import { ValueError } from '../../base/units.js';
import { REQUEST_NAMES, type RequestName } from './wire/request-types.js';

/** A fault that is injected. Times are in milliseconds. */
export type Fault = FaultKind & FaultScope;

export type FaultKind =
  /** New connections are read only after a while, between the two. */
  | { readonly kind: 'slow-accept'; readonly fromMs: number; readonly toMs: number }
  /** New connections are accepted, and never answered. */
  | { readonly kind: 'silent-handshake' }
  /** New connections are told this server version, whatever they speak; above 200 nothing follows. */
  | { readonly kind: 'server-version'; readonly version: number }
  /** Nobody listens: new connections are refused. */
  | { readonly kind: 'refuse' }
  /** Each message is held back for a while, between the two; their order stays. */
  | { readonly kind: 'latency'; readonly fromMs: number; readonly toMs: number }
  /** Messages arrive in pieces of so many bytes. */
  | { readonly kind: 'slice'; readonly bytes: number }
  /** Requests are read and not answered: all, or those named. */
  | { readonly kind: 'mute'; readonly requests?: readonly RequestName[] }
  /** Connections neither read nor write any more, without being closed; when it is over, the gateway notices. */
  | { readonly kind: 'half-open' }
  /** Connections end when so many bytes more have been sent. */
  | { readonly kind: 'drop'; readonly afterBytes?: number; readonly manner?: 'reset' | 'close' }
  /** The next message announces this length; from 2147483648 on clients may read it as negative. */
  | { readonly kind: 'corrupt-length'; readonly length: number }
  /** Random bytes, as one message (default), or as they are. */
  | { readonly kind: 'garbage'; readonly bytes: number; readonly framed?: boolean }
  /** All are told the new port (1300) and dropped; from now on it listens there. 0 takes any. */
  | { readonly kind: 'move-port'; readonly port: number }
  /** The link to the vendor's servers: 1100, then 1101 (data lost) or 1102. */
  | { readonly kind: 'lost' }
  | { readonly kind: 'restored'; readonly dataLost: boolean }
  /** 2103 and 2105 broken, 2104 and 2106 well again. */
  | { readonly kind: 'farm'; readonly code: 2103 | 2104 | 2105 | 2106 | 2108 | 2158; readonly farm?: string }
  /** 1100 several times while the connections stay, then 1101 or 1102. */
  | {
      readonly kind: 'nightly-reset';
      readonly notices?: number;
      readonly lastsMs?: number;
      readonly dataLost?: boolean;
    }
  /** All connections are reset, new ones are refused for a while; orders of the last moment are lost. */
  | { readonly kind: 'restart'; readonly downMs?: number; readonly lostOrdersMs?: number }
  /**
   * The next matching requests meet this error, under their own id. `refuse` (default): nothing else follows. `advise`:
   * the request goes on all the same. `reject`, of orders: the order is accepted first, then it is Inactive; other
   * requests are refused. Text: by default the usual one of the code. `requests`: only these kinds. `symbol`: only
   * requests for it. `probability`: from 0 to 1, of each one. Hits one request, or any number with `probability` or
   * `forMs`, unless `times` says how many.
   */
  | {
      readonly kind: 'error';
      readonly code: number;
      readonly text?: string;
      readonly effect?: 'refuse' | 'advise' | 'reject';
      readonly requests?: readonly RequestName[];
      readonly symbol?: string;
      readonly probability?: number;
    }
  /** Any error or notice. */
  | { readonly kind: 'notice'; readonly code: number; readonly text: string; readonly id?: number };

export interface FaultScope {
  /** How long it lasts; left out or null, until it is healed. Only for faults that last. */
  readonly forMs?: number | null;
  /** Only clients with these ids; left out, all. */
  readonly clientIds?: readonly number[];
  /** Only so many of the connections there are, chosen at random. */
  readonly pick?: number;
  /** Over after so many connections (slow-accept, silent-handshake, server-version) or requests (error). */
  readonly times?: number;
}

/** A fault and when it happens. */
export type PlannedFault = Fault & {
  /** Milliseconds after the start. */
  readonly atMs?: number;
  /** Every day at this time, of the machine's zone: `23:45`. */
  readonly atTime?: string;
  /** Again and again, so many milliseconds apart. */
  readonly everyMs?: number;
  /** Later by up to so many milliseconds, by the seed. */
  readonly jitterMs?: number;
};

type Rule = (value: unknown) => string | null;

const anyNumber = (least: number, most: number, whole: boolean): Rule => {
  return (value) => {
    const fits =
      typeof value === 'number' && value >= least && value <= most && (!whole || Number.isInteger(value));
    return fits ? null : `is not a ${whole ? 'whole ' : ''}number from ${least} to ${most}`;
  };
};
const milliseconds = anyNumber(0, 7 * 86_400_000, false);
const whole = (least: number, most: number): Rule => anyNumber(least, most, true);
const yesOrNo: Rule = (value) => (typeof value === 'boolean' ? null : 'is neither true nor false');
const text: Rule = (value) => (typeof value === 'string' ? null : 'is not a text');
const oneOf =
  (...words: readonly (string | number)[]): Rule =>
  (value) =>
    words.some((word) => word === value) ? null : `is not one of ${words.join(', ')}`;
const listOf =
  (rule: Rule): Rule =>
  (value) =>
    !Array.isArray(value) ? 'is not a list' : (value.map(rule).find((problem) => problem !== null) ?? null);
const timeOfDay: Rule = (value) =>
  typeof value === 'string' && /^([01]\d|2[0-3]):[0-5]\d$/.test(value)
    ? null
    : 'is not a time of day, as in 23:45';

/** The fields of each kind; those with a question mark may be left out. */
const KINDS: Readonly<Record<Fault['kind'], Readonly<Record<string, Rule>>>> = {
  'slow-accept': { fromMs: milliseconds, toMs: milliseconds },
  'silent-handshake': {},
  'server-version': { version: whole(1, 999_999) },
  refuse: {},
  latency: { fromMs: milliseconds, toMs: milliseconds },
  slice: { bytes: whole(1, 65_536) },
  mute: { 'requests?': listOf(oneOf(...REQUEST_NAMES)) },
  'half-open': {},
  drop: { 'afterBytes?': whole(0, 1e9), 'manner?': oneOf('reset', 'close') },
  'corrupt-length': { length: whole(0, 2 ** 32 - 1) },
  garbage: { bytes: whole(1, 1_000_000), 'framed?': yesOrNo },
  'move-port': { port: whole(0, 65_535) },
  lost: {},
  restored: { dataLost: yesOrNo },
  farm: { code: oneOf(2103, 2104, 2105, 2106, 2108, 2158), 'farm?': text },
  'nightly-reset': { 'notices?': whole(1, 1000), 'lastsMs?': milliseconds, 'dataLost?': yesOrNo },
  restart: { 'downMs?': milliseconds, 'lostOrdersMs?': milliseconds },
  error: {
    code: whole(0, 99_999),
    'text?': text,
    'effect?': oneOf('refuse', 'advise', 'reject'),
    'requests?': listOf(oneOf(...REQUEST_NAMES)),
    'symbol?': text,
    'probability?': anyNumber(0, 1, false),
  },
  notice: { code: whole(0, 99_999), text, 'id?': whole(-1, 2 ** 31 - 1) },
};
const SCOPE: Readonly<Record<string, Rule>> = {
  'forMs?': (value) => (value === null ? null : milliseconds(value)),
  'clientIds?': listOf(whole(0, 2 ** 31 - 1)),
  'pick?': whole(1, 1e6),
  'times?': whole(1, 1e6),
};
const WHEN: Readonly<Record<string, Rule>> = {
  'atMs?': milliseconds,
  'atTime?': timeOfDay,
  'everyMs?': (value) => (value === 0 ? 'is 0' : milliseconds(value)),
  'jitterMs?': milliseconds,
};

/** Reads a fault from JSON. Throws a ValueError that says what is wrong, all of it. */
export function toFault(value: unknown): Fault {
  return checked(value, SCOPE) as Fault;
}

/** Reads a plan: a list of faults with the times at which they happen. Throws a ValueError. */
export function toFaultPlan(value: unknown): readonly PlannedFault[] {
  if (!Array.isArray(value)) throw new ValueError('a plan is a list of faults');
  return value.map((each, index) => {
    try {
      const fault = checked(each, { ...SCOPE, ...WHEN }) as PlannedFault;
      if (fault.atTime !== undefined && (fault.atMs !== undefined || fault.everyMs !== undefined))
        throw new ValueError('atTime is every day already: it goes with neither atMs nor everyMs');
      return fault;
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      throw new ValueError(`fault ${index + 1}: ${error.message}`);
    }
  });
}

function checked(value: unknown, common: Readonly<Record<string, Rule>>): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ValueError('a fault is an object with a kind');
  const fields = value as Readonly<Record<string, unknown>>;
  const { kind } = fields;
  if (typeof kind !== 'string' || !Object.hasOwn(KINDS, kind)) {
    const known = Object.keys(KINDS).join(', ');
    throw new ValueError(`${JSON.stringify(kind) ?? 'no kind'} is no kind of fault; there are ${known}`);
  }
  const rules = { ...common, ...KINDS[kind as Fault['kind']] };
  const problems: string[] = [];
  const names = new Map(Object.keys(rules).map((name) => [name.replace('?', ''), name]));
  for (const [name, spec] of names) {
    const given = fields[name];
    if (given === undefined) {
      if (spec === name) problems.push(`${name} is missing`);
      continue;
    }
    const problem = rules[spec]?.(given) ?? null;
    if (problem !== null) problems.push(`${name} ${problem}`);
  }
  for (const name of Object.keys(fields)) {
    if (name !== 'kind' && !names.has(name)) problems.push(`${name} is unknown`);
  }
  if (Number(fields.fromMs) > Number(fields.toMs)) problems.push('fromMs is more than toMs');
  if (problems.length > 0) throw new ValueError(`${kind}: ${problems.join('; ')}`);
  return value;
}

/** Milliseconds from `wallMs` to the next time that the clock of the machine's zone shows `timeOfDay` (`23:45`). */
export function msUntil(time: string, wallMs: number): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  const due = new Date(wallMs);
  due.setHours(hours, minutes, 0, 0);
  if (due.getTime() <= wallMs) due.setDate(due.getDate() + 1);
  return due.getTime() - wallMs;
}
