import { CodedError } from '../../src/base/coded-error.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import { maskSecrets, maskUrl } from '../../src/base/secrets.js';
import { JsoncError } from '../../src/cli/jsonc.js';
import { mutated, pick } from './mutate.js';

/** A parser of bytes that come from somewhere else. */
export interface Parser {
  /** Valid inputs, from which others are made. */
  readonly corpus: readonly string[];
  /** Throws typed errors only. */
  parse(text: string): unknown;
  /** Inputs that are parsed at once, where one costs much; all of them are parsed again if they fail. */
  parseAll?(texts: readonly string[]): unknown;
  /** Errors that its callers expect beside ours. */
  readonly expects?: readonly (new (
    ...args: never[]
  ) => Error)[];
}

export interface Finding {
  readonly kind: 'crash' | 'slow' | 'not linear' | 'secret';
  readonly input: string;
  readonly what: string;
}

export interface FuzzReport {
  readonly inputs: number;
  readonly accepted: number;
  readonly refused: number;
  /** CPU time of the slowest input, in milliseconds. */
  readonly slowestMs: number;
  readonly findings: readonly Finding[];
}

export interface FuzzOptions {
  readonly inputs: number;
  readonly seed: number;
  /** Whether to measure how the time grows with the length of the text. */
  readonly growth?: boolean;
  /** Told of each input before it is parsed: after a hang nobody else can say which it was. */
  readonly onInput?: (text: string) => void;
}

/** Planted where the corpus has a password. */
export const SECRET = 'Zq7planted8xK';
/** More CPU time for an input of 20 kB is a finding. */
const MOST_MS = 250;
const BATCH = 100;
const MOST_FINDINGS = 20;

/** Feeds a parser with changed inputs. The same seed gives the same inputs. */
export function fuzz(parser: Parser, { inputs, seed, growth = true, onInput }: FuzzOptions): FuzzReport {
  const random = seededRandom(seed);
  const findings: Finding[] = [];
  const told = new Set<string>();
  const find = (kind: Finding['kind'], input: string, what: string): void => {
    // One of each kind of error is enough.
    const key = `${kind} ${what.replace(/\d+/g, '0').slice(0, 80)}`;
    if (told.has(key) || findings.length >= MOST_FINDINGS) return;
    told.add(key);
    findings.push({ kind, input, what });
  };
  const count = { accepted: 0, refused: 0, slowestMs: 0 };
  const look = (text: string): void => {
    onInput?.(text);
    const { error, ms } = tried(() => parser.parse(text));
    if (error === null) count.accepted++;
    else count.refused++;
    if (error !== null && !isTyped(error, parser)) find('crash', text, stackOf(error));
    if (error !== null && ALONE.test(shown(error)) && isToldApart(text)) find('secret', text, shown(error));
    const spentMs =
      ms < MOST_MS / 5 ? ms : Math.min(...[1, 2, 3].map(() => tried(() => parser.parse(text)).ms));
    count.slowestMs = Math.max(count.slowestMs, spentMs);
    if (spentMs > MOST_MS)
      find('slow', text, `${spentMs.toFixed(0)} ms of CPU time for ${text.length} characters`);
  };
  for (let n = 0; n < inputs; ) {
    const texts = Array.from({ length: Math.min(BATCH, inputs - n) }, () => inputOf(parser, random));
    n += texts.length;
    if (parser.parseAll !== undefined) {
      const all = parser.parseAll.bind(parser);
      onInput?.(texts.join('\n=====\n'));
      const { error, ms } = tried(() => all(texts));
      count.slowestMs = Math.max(count.slowestMs, ms / texts.length);
      if (error === null && ms < MOST_MS * 20) {
        count.accepted += texts.length;
        continue;
      }
    }
    texts.forEach(look);
  }
  // A sample: the sources have hundreds.
  const samples = growth ? parser.corpus : [];
  for (const text of samples.filter((_, at) => at % Math.ceil(parser.corpus.length / 20) === 0)) {
    onInput?.(text);
    const factor = growthOf(parser, text);
    if (factor > 12) find('not linear', text, `four times the text takes ${factor.toFixed(1)} times as long`);
  }
  return { inputs, ...count, findings };
}

function inputOf({ corpus }: Parser, random: Random): string {
  return mutated(pick(corpus, random), corpus, random);
}

/** How much longer a text takes that is four times as long. Quadratic is 16. */
function growthOf(parser: Parser, piece: string): number {
  const cost = (length: number): number => {
    const text = piece.repeat(Math.ceil(length / piece.length));
    return Math.min(...[1, 2, 3].map(() => tried(() => parser.parse(text)).ms));
  };
  const [small, large] = [cost(20_000), cost(80_000)];
  return large < 40 ? 0 : large / Math.max(small, 1);
}

function tried(work: () => unknown): { readonly error: unknown; readonly ms: number } {
  const before = process.cpuUsage();
  let error: unknown = null;
  try {
    work();
  } catch (thrown) {
    error = thrown ?? new Error('nothing was thrown');
  }
  const { user, system } = process.cpuUsage(before);
  return { error, ms: (user + system) / 1000 };
}

function isTyped(error: unknown, { expects = [] }: Parser): boolean {
  return [CodedError, JsoncError, ...expects].some((kind) => error instanceof kind);
}

/** Whether what is left of the structure says that it is a secret. */
function isToldApart(text: string): boolean {
  return !maskUrl(text).includes(SECRET) && !maskSecrets(text).includes(SECRET);
}

/** Glued to other letters by a mutation it is another word, which nobody can know to be a secret. */
const ALONE = new RegExp(`(?<![A-Za-z0-9])${SECRET}(?![A-Za-z0-9])`);

/** As the command line shows it. */
function shown(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const hint = 'hint' in error ? String(error.hint) : '';
  return maskSecrets(`${error.message} ${hint}`);
}

function stackOf(error: unknown): string {
  return error instanceof Error
    ? (error.stack ?? error.message).split('\n').slice(0, 4).join('\n')
    : String(error);
}
