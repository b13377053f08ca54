import { SourceError } from './errors.js';

/** One line of a metrics endpoint. */
export interface MetricSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** No exporter of pools comes near it. */
const MOST_SAMPLES = 200_000;
const MOST_LINE = 100_000;

/**
 * Reads the text format of Prometheus, and OpenMetrics: of each sample name, labels and value; comments, time stamps
 * and exemplars are passed over. What begins with `prefixes` alone is kept. Throws a SourceError where it is neither.
 */
export function parseExposition(text: string, prefixes: readonly string[]): readonly MetricSample[] {
  const samples: MetricSample[] = [];
  let lines = 0;
  let strange = 0;
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(start, end).trim();
    start = end + 1;
    if (line === '' || line.startsWith('#')) continue;
    lines++;
    const sample = line.length > MOST_LINE ? null : parseSample(line);
    if (sample === null) strange++;
    else if (prefixes.some((prefix) => sample.name.startsWith(prefix))) samples.push(sample);
    if (samples.length > MOST_SAMPLES) throw notMetrics(`it has more than ${MOST_SAMPLES} samples`);
  }
  // One odd line is an exporter's slip; most of them, and it is a web page.
  if (strange > 0 && strange * 2 >= lines) throw notMetrics('it is not in the text format of Prometheus');
  return samples;
}

export function notMetrics(why: string): SourceError {
  return new SourceError('ERR_SOURCE_ANSWER', `the metrics endpoint cannot be read: ${why}`, {
    hint: 'check the path: most exporters have their metrics at /metrics',
  });
}

const NAME = /[a-zA-Z_:][\w:.]*/y;
const LABEL = /\s*([a-zA-Z_][\w.]*|"(?:[^"\\]|\\.)*")\s*=\s*"((?:[^"\\]|\\.)*)"\s*,?/y;
const VALUE = /\s*(\S{1,40})(?=\s|$)/y;

function parseSample(line: string): MetricSample | null {
  const name = matchAt(NAME, line, 0);
  if (name === null) return null;
  const labels: Record<string, string> = Object.create(null) as Record<string, string>;
  let at = name[0].length;
  while (line[at] === ' ') at++;
  if (line[at] === '{') {
    at++;
    for (let label = matchAt(LABEL, line, at); label !== null; label = matchAt(LABEL, line, at)) {
      labels[label[1] ?? ''] = unescaped(label[2] ?? '');
      at += label[0].length;
    }
    while (line[at] === ' ') at++;
    if (line[at] !== '}') return null;
    at++;
  }
  const value = numberOf(matchAt(VALUE, line, at)?.[1] ?? '');
  return value === null ? null : { name: name[0], labels, value };
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function unescaped(text: string): string {
  return text.includes('\\')
    ? text.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char))
    : text;
}

function numberOf(text: string): number | null {
  if (/^[-+]?inf$/i.test(text))
    return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^[-+]?nan$/i.test(text)) return Number.NaN;
  // Excludes texts that Number accepts too: an empty text, 0x10.
  const value = /^[-+]?\.?\d/.test(text) && !/x/i.test(text) ? Number(text) : Number.NaN;
  return Number.isNaN(value) ? null : value;
}
