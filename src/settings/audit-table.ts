import { isAbsolute } from 'node:path';
import { topics } from '../audit/explain.js';
import { isLevel, type Override, type RuleLevels } from '../audit/policy.js';
import { type CustomResource, readCustomResource } from '../audit/resources/custom.js';
import { ValueError } from '../base/units.js';
import { flag, list, value } from '../cli/options.js';
import { didYouMean } from '../cli/suggest.js';
import { choice, count, path, text, type ValueType } from '../cli/value-types.js';

const topicType: ValueType<string> = {
  placeholder: 'TOPIC',
  parse(source) {
    // SARIF names it `leak/not-released-on-throw`.
    const topic = source.replace(/^leak\//, '');
    if (topics().includes(topic)) return topic;
    const meant = didYouMean(source, topics());
    throw new ValueError(
      `'${source}' is not one of ${topics().join(', ')}${meant === null ? '' : `; ${meant}`}`,
    );
  },
  show: (topic) => topic,
};

const nameType: ValueType<string> = {
  placeholder: 'NAME',
  parse(source) {
    if (!/^[A-Za-z_$][\w$]*$/.test(source))
      throw new ValueError(`'${source}' is not the name of a function or method`);
    return source;
  },
  show: (name) => name,
};

/** A name, or `new` and the name of a class. */
const lenderType: ValueType<string> = {
  ...nameType,
  parse: (source) => {
    const constructed = /^new\s+(.+)$/.exec(source)?.[1];
    return constructed === undefined ? nameType.parse(source) : `new ${nameType.parse(constructed)}`;
  },
};

/** JSON Schema, for the config file. */
const NAMES = { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] };
const LEVELS = { type: 'object', additionalProperties: { enum: ['off', 'note', 'error'] } };

const resourceType: ValueType<CustomResource> = {
  placeholder: 'JSON',
  objectSchema: {
    type: 'object',
    properties: {
      ...{ id: { type: 'string' }, title: { type: 'string' } },
      ...{ acquire: NAMES, release: NAMES, handoff: NAMES, armedBy: NAMES, from: NAMES },
    },
    required: ['acquire', 'release'],
    additionalProperties: false,
  },
  parse(source) {
    const found = readCustomResource(parsed(source));
    if (typeof found === 'string') throw new ValueError(found);
    return found;
  },
  show: (resource) => JSON.stringify(resource),
};

const rulesType: ValueType<RuleLevels> = {
  placeholder: 'RULE=LEVEL',
  objectSchema: LEVELS,
  parse(source) {
    const [name = '', level = '', ...more] = source.split('=');
    const levels = source.trimStart().startsWith('{') ? parsed(source) : { [name.trim()]: level.trim() };
    if (!isObject(levels) || more.length > 0)
      throw new ValueError(`'${source}' is not RULE=off, RULE=note or RULE=error`);
    return checkedLevels(levels);
  },
  show: (levels) =>
    Object.entries(levels)
      .map(([name, level]) => `${name}=${level}`)
      .join(' '),
};

const overrideType: ValueType<Override> = {
  placeholder: 'JSON',
  objectSchema: {
    type: 'object',
    properties: { files: NAMES, rules: LEVELS, minConfidence: { enum: ['high', 'medium', 'low'] } },
    required: ['files'],
    additionalProperties: false,
  },
  placedIn(source, folder) {
    const { files, ...others } = JSON.parse(source) as { files?: unknown };
    const globs: readonly unknown[] = Array.isArray(files) ? files : [files];
    const placed = globs.map((one) => (typeof one === 'string' ? globIn(one, folder) : one));
    return JSON.stringify({ ...others, files: placed });
  },
  parse(source) {
    const found = parsed(source);
    if (!isObject(found)) throw new ValueError(`'${source}' is not an object`);
    const { files, rules, minConfidence, ...others } = found;
    const [other] = Object.keys(others);
    if (other !== undefined)
      throw new ValueError(`there is no '${other}'; an override has files, rules and minConfidence`);
    const globs = typeof files === 'string' ? [files] : files;
    if (!Array.isArray(globs) || globs.length === 0 || !globs.every((one) => typeof one === 'string'))
      throw new ValueError('files: a glob or an array of globs is expected');
    if (rules !== undefined && !isObject(rules)) throw new ValueError('rules: an object is expected');
    const confidence = confidenceType.parse(minConfidence === undefined ? 'low' : String(minConfidence));
    return {
      files: globs,
      ...(rules === undefined ? {} : { rules: checkedLevels(rules) }),
      ...(minConfidence === undefined ? {} : { minConfidence: confidence }),
    };
  },
  show: (override) => JSON.stringify(override),
};

const globType: ValueType<string> = { ...text('GLOB'), placedIn: globIn };

/** A glob with a slash in it is a path, which starts from a folder; one without is a name anywhere. */
function globIn(glob: string, folder: string): string {
  if (!glob.replace(/\/$/, '').includes('/') || isAbsolute(glob)) return glob;
  return `${folder.replaceAll('\\', '/').replace(/[*?[\]]/g, '\\$&')}/${glob.replace(/^\.\//, '')}`;
}

const confidenceType = choice(['high', 'medium', 'low']);

function checkedLevels(levels: Readonly<Record<string, unknown>>): RuleLevels {
  return Object.fromEntries(
    Object.entries(levels).map(([name, level]) => {
      if (isLevel(level)) return [name, level];
      throw new ValueError(`${name}: ${JSON.stringify(level)} is not one of off, note, error`);
    }),
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parsed(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    throw new ValueError(`'${source}' is not JSON`);
  }
}

/** The options of `audit-leaks`, without the format of its report. The ESLint plug-in reads their section of the config file. */
export const options = {
  exclude: list({
    summary: 'skip matching paths; a glob without a slash matches names',
    type: globType,
    group: 'Scope',
  }),
  ignoreFiles: flag({
    summary: 'skip what .gitignore lists',
    default: true,
    negatable: true,
    group: 'Scope',
  }),
  since: value({
    summary: 'only findings that changes since this commit can affect',
    type: text('GITREF'),
    default: null,
    group: 'Scope',
  }),
  includeTests: flag({ summary: 'fail the run on leaks in test files too', group: 'Scope' }),
  acquire: list({
    summary: 'your own function, method or class that hands out a lease',
    type: lenderType,
    group: 'Resources',
  }),
  release: list({
    summary: 'what ends the lease: a method of it, or a function',
    type: nameType,
    group: 'Resources',
  }),
  handoff: list({
    summary: 'what takes the lease over: a method of it, or a function',
    type: nameType,
    group: 'Resources',
  }),
  armedBy: list({
    summary: 'method of the lease that starts it',
    type: nameType,
    group: 'Resources',
  }),
  resources: list({
    summary: 'more of your own: {"acquire": [...], "release": [...]}',
    type: resourceType,
    takesObjects: true,
    group: 'Resources',
  }),
  severity: value({
    summary: 'minimum severity that fails the run',
    type: choice(['error', 'note']),
    default: 'error',
    group: 'Verdict',
  }),
  minConfidence: value({
    summary: 'minimum confidence of reported findings',
    type: confidenceType,
    default: 'low',
    group: 'Verdict',
  }),
  rules: list({
    summary: 'level of a rule or resource: off, note or error',
    type: rulesType,
    takesObjects: true,
    group: 'Verdict',
  }),
  overrides: list({
    summary: 'rules for a folder: {"files": [...], "rules": {...}}',
    type: overrideType,
    takesObjects: true,
    group: 'Verdict',
  }),
  maxFindings: value({ summary: 'allow up to N findings', type: count(), default: 0, group: 'Verdict' }),
  strict: flag({ summary: 'fail if a file was skipped or a lease not decided', group: 'Verdict' }),
  baseline: value({
    summary: 'suppress the findings recorded in FILE',
    type: path('FILE'),
    default: null,
    group: 'Verdict',
  }),
  updateBaseline: flag({
    summary: 'record the current findings in the --baseline file',
    config: false,
    group: 'Verdict',
  }),
  watch: flag({
    summary: 'audit again whenever files change, until Ctrl-C',
    config: false,
    group: 'Output',
  }),
  fix: flag({
    summary: 'repair what can be repaired safely, and report the rest',
    config: false,
    group: 'Repair',
  }),
  dryRun: flag({
    summary: 'with --fix: print the repairs as a diff, write nothing',
    config: false,
    group: 'Repair',
  }),
  notes: flag({
    summary: 'show notes too: leaks after a failing connect, BEGIN or ROLLBACK',
    group: 'Output',
  }),
  explain: value({
    summary: 'explain a resource or rule, with an example and a repair',
    type: topicType,
    default: null,
    config: false,
    group: 'Output',
  }),
  cache: flag({
    summary: 'reuse results of unchanged files',
    default: true,
    negatable: true,
    group: 'Output',
  }),
  cacheLocation: value({
    summary: 'folder of the cache',
    type: path('FOLDER'),
    default: null,
    defaultText: 'node_modules/.cache/poolctl',
    group: 'Output',
  }),
};
