// The pages of docs/reference that follow from the code, in Markdown.
import { EXIT_CODES } from './exit-codes.mjs';
import { cell, code, pageOf, prose, sentence, table } from './markdown.mjs';
import { DOCUMENTS } from './output-schemas.mjs';

/**
 * @typedef {import('../../src/cli/catalog.js').CatalogEntry} CatalogEntry
 * @typedef {import('../../src/cli/options.js').OptionSpec<unknown>} OptionSpec
 * @typedef {import('../../src/doctor/types.js').Check} Check
 * @typedef {import('../../src/diagnosis/types.js').Cause} Cause
 * @typedef {import('../../src/metrics/metric.js').AnyFamily} AnyFamily
 * @typedef {{ readonly id: string, readonly title: string }} Titled
 * @typedef {object} Described what the code says of itself
 * @property {readonly Check[]} checks
 * @property {readonly Cause[]} causes
 * @property {readonly Titled[]} rules
 * @property {readonly Titled[]} resources
 * @property {Readonly<Record<string, AnyFamily>>} metrics
 */

/**
 * The generated pages by their path.
 * @param {readonly CatalogEntry[]} catalog
 * @param {Described} described
 * @returns {Readonly<Record<string, string>>}
 */
export function referencePages(catalog, described) {
  const pages = {
    commands: commandList(catalog),
    options: optionPage(catalog),
    checks: checkPage(described.checks),
    causes: causePage(described.causes),
    'leak-rules': rulePage(described),
    metrics: metricPage(described.metrics),
    'exit-codes': exitCodePage(),
    'json-output': jsonPage(),
    ...Object.fromEntries(
      catalog.map((entry) => [`commands/${fileOf(entry.command.name)}`, commandPage(entry)]),
    ),
  };
  return Object.fromEntries(Object.entries(pages).map(([name, text]) => [`docs/reference/${name}.md`, text]));
}

/** @param {readonly CatalogEntry[]} catalog */
function commandList(catalog) {
  const rows = catalog.map(({ command: { name, summary } }) => [
    `[${code(`poolctl ${name}`)}](commands/${fileOf(name)}.md)`,
    summary,
  ]);
  return pageOf('Commands', [
    'Each command has a page with its options. `poolctl help COMMAND` prints the same in a terminal.',
    table(['command', 'purpose'], rows),
    'All commands share the [common options](options.md#common-options) and the [exit codes](exit-codes.md).',
  ]);
}

/** @param {CatalogEntry} entry */
function commandPage({ command, table: all }) {
  const { name, summary, description, examples = [] } = command;
  const given = Object.entries(command.arguments).map(([key, { required, variadic }]) => {
    const word = variadic ? `${key}...` : key;
    return required ? `<${word}>` : `[${word}]`;
  });
  const groups = groupBy(Object.keys(command.options), (key) => all[key]?.group ?? '');
  const argumentRows = Object.entries(command.arguments).map(([key, spec]) => [
    code(key),
    cell(spec.summary),
  ]);
  return pageOf(`poolctl ${name}`, [
    ...(description ?? sentence(summary)).split(/\n\n+/).map((text) => prose(text.replaceAll('\n', ' '))),
    fence('text', ['poolctl', name, '[options]', ...given].join(' ')),
    ...(argumentRows.length === 0 ? [] : ['## Arguments', table(['argument', 'meaning'], argumentRows)]),
    ...(examples.length === 0
      ? []
      : [
          '## Examples',
          fence(
            'sh',
            examples
              .map((one) => `# ${capitalized(one.meaning)}\n${one.command.replace(/\n\s*/g, ' ')}`)
              .join('\n\n'),
          ),
        ]),
    ...(groups.size === 0 ? [] : ['## Options']),
    ...[...groups].flatMap(([group, keys]) => [
      `### ${group}`,
      table(
        ['option', 'default', 'meaning'],
        keys.map((key) => optionRow(key, all[key])),
      ),
    ]),
    'The [common options](../options.md#common-options) apply too.',
  ]);
}

/**
 * @param {string} key
 * @param {OptionSpec | undefined} spec
 */
function optionRow(key, spec) {
  if (spec === undefined) throw new Error(`no option ${key}`);
  const { short, kind, placeholder, summary, defaultText, env, negatable } = spec;
  const flag = flagOf(key);
  const names = [
    ...(short === null ? [] : [code(`-${short}`)]),
    code(kind === 'flag' ? `--${flag}` : `--${flag} ${placeholder.replace(/^'(.*)'$/, '$1')}`),
    ...(negatable ? [code(`--no-${flag}`)] : []),
  ];
  const facts = [...(kind === 'list' ? ['repeatable'] : []), ...(env === null ? [] : [`env ${code(env)}`])];
  return [
    names.join(', '),
    cell(defaultText ?? ''),
    `${cell(summary)}${facts.length === 0 ? '' : `; ${facts.join(', ')}`}`,
  ];
}

/** @param {readonly CatalogEntry[]} catalog */
function optionPage(catalog) {
  /** @type {Map<string, OptionSpec>} */
  const common = new Map();
  for (const { command, table: all } of catalog) {
    for (const [key, spec] of Object.entries(all)) if (!(key in command.options)) common.set(key, spec);
  }
  /** @type {Map<string, string[]>} */
  const variables = new Map();
  for (const { command, table: all } of catalog) {
    for (const [key, { env }] of Object.entries(all)) {
      if (env === null) continue;
      variables.set(env, [...(variables.get(env) ?? []), `${command.name} --${flagOf(key)}`]);
    }
  }
  const rows = [...variables]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([env, options]) => [code(env), options.map(code).join(', ')]);
  return pageOf('Options', [
    'The options of each command are on [its page](commands.md). [Configuration](config.md) says where values come from.',
    '## Common options',
    table(
      ['option', 'default', 'meaning'],
      [...common].map(([key, spec]) => optionRow(key, spec)),
    ),
    '## Environment variables',
    table(['variable', 'sets'], rows),
    'PostgreSQL addresses also read `PGHOST`, `PGPORT`, `PGUSER`, `PGDATABASE`, `PGPASSWORD`, `PGPASSFILE` and `PGSSLMODE` for the parts that the URL leaves out. MySQL addresses read `MYSQL_PWD`.',
  ]);
}

/** @param {readonly Check[]} checks */
function checkPage(checks) {
  return pageOf('Checks of the doctor', [
    '`poolctl doctor` runs every check for which it has the targets. `poolctl explain fleet-sum` prints an entry.',
    table(
      ['check', 'passes if', 'needs'],
      checks.map(({ id, title, needs }) => [`[${code(id)}](#${id})`, cell(title), needs.join(', ')]),
    ),
    ...checks.flatMap(({ id, title, why, details, needs, uses = [] }) => [
      `## ${id}`,
      sentence(prose(title)),
      `Why: ${prose(why)}`,
      prose(details),
      `Needs: ${needs.join(', ')}.${uses.length === 0 ? '' : ` Also uses: ${uses.join(', ')}.`}`,
    ]),
  ]);
}

/** The words of a library or server, in the order of the page. */
const PLACES = {
  app: 'In the application',
  pg: 'With pg',
  'postgres.js': 'With postgres.js',
  mysql2: 'With mysql2',
  knex: 'With Knex',
  sequelize: 'With Sequelize',
  typeorm: 'With TypeORM',
  prisma: 'With Prisma',
  'generic-pool': 'With generic-pool',
  poolctl: 'With poolctl',
  pgbouncer: 'In PgBouncer',
  postgres: 'In PostgreSQL',
  mysql: 'In MySQL',
  mariadb: 'In MariaDB',
};

/** With names in the place of those that are known when a cause is found. @param {string} text */
function named(text) {
  return text
    .replaceAll('{role}', 'app')
    .replaceAll('{user}', 'app')
    .replaceAll('{account}', "'app'@'%'")
    .replaceAll('{database}', 'shop');
}

/** @param {readonly Cause[]} causes */
function causePage(causes) {
  const byId = groupBy(causes, ({ id }) => id);
  return pageOf('Causes', [
    'The first line of `poolctl top` names why callers wait. `poolctl health` and `poolctl doctor` use the same causes. poolctl names a cause before its symptoms: a leak that holds a lock comes before the leases that wait for the lock.',
    '`poolctl explain leak-missing-release` prints an entry.',
    table(
      ['cause', 'meaning'],
      [...byId].map(([id, [first]]) => [`[${code(id)}](#${id})`, cell(first?.title ?? '')]),
    ),
    ...[...byId].flatMap(([id, all]) => [`## ${id}`, ...all.flatMap(causeBlocks)]),
  ]);
}

/** @param {Cause} cause */
function causeBlocks({ title, repair, avoid }) {
  const steps = Object.entries(PLACES).flatMap(([place, words]) => {
    const text = repair[/** @type {keyof typeof repair} */ (place)];
    const sql = repair.sql?.[/** @type {'postgres'} */ (place)] ?? [];
    return [
      ...sql.map((one) => `- ${words}: ${code(named(one))}`),
      ...(typeof text === 'string' ? [`- ${words}: ${prose(named(text))}`] : []),
    ];
  });
  return [
    sentence(prose(title)),
    ...(steps.length === 0 ? [] : ['What to do:', steps.join('\n')]),
    ...(avoid.length === 0 ? [] : ['What to avoid:', avoid.map((one) => `- ${prose(one)}`).join('\n')]),
  ];
}

/** @param {Described} described */
function rulePage({ rules, resources }) {
  const list = (/** @type {readonly Titled[]} */ all) =>
    table(
      ['id', 'meaning'],
      all.map(({ id, title }) => [`[${code(id)}](../rules/${id}.md)`, cell(title)]),
    );
  return pageOf('Leak rules and resources', [
    'A finding of `poolctl audit-leaks` names a rule and a resource. Each has a page with an example and its repair, which `poolctl explain ID` also prints. The level of each can be set: `--rules held-through-work=error`, or `off`, `note` and `error` under `rules` in the config.',
    '## Rules',
    list(rules),
    '## Resources',
    list(resources),
  ]);
}

/** @param {Readonly<Record<string, AnyFamily>>} families */
function metricPage(families) {
  return pageOf('Metrics', [
    'These are the metrics of `poolctl metrics serve`. In the registry of an application (`collectPoolMetrics`), metrics of pools have no labels `source` and `app`. A figure that was not measured has no series.',
    ...Object.entries(families).flatMap(([family, { labels, metrics }]) => [
      `## ${familyTitle(family)}`,
      `Labels: ${['source', ...labels].map(code).join(', ')}.`,
      table(
        ['metric', 'type', 'unit', 'meaning'],
        Object.values(metrics).map(({ name, type, unit, help, alias }) => [
          `${code(name)}${alias === undefined ? '' : `, ${code(alias.name)} with \`--compat ${alias.compat}\``}`,
          type,
          unit,
          cell(help),
        ]),
      ),
    ]),
  ]);
}

function exitCodePage() {
  return pageOf('Exit codes', [
    table(
      ['code', 'meaning'],
      EXIT_CODES.map(([number, meaning]) => [String(number), meaning]),
    ),
    'Scripts can rely on these codes. A code never gets a second meaning. With `poolctl run`, the exit code is that of the command it runs.',
  ]);
}

function jsonPage() {
  return pageOf('JSON output', [
    'Commands with `--format json` (or `--json`) print documents with a JSON Schema (draft 2020-12). The field `schema` is a number that changes if a field changes its meaning. New fields can appear at any time.',
    table(
      ['document', 'schema'],
      Object.keys(DOCUMENTS)
        .concat('config')
        .map((name) => [name, `[${code(`poolctl/schemas/${name}.json`)}](../../schemas/${name}.json)`]),
    ),
    'A program can import a schema:',
    fence('js', "import schema from 'poolctl/schemas/loadtest.json' with { type: 'json' };"),
  ]);
}

/** @param {string} command */
function fileOf(command) {
  return command.replaceAll(' ', '-');
}

/** @param {string} key */
function flagOf(key) {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** @param {string} family */
function familyTitle(family) {
  const words = family.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return capitalized(words).replace(/^Http/, 'HTTP');
}

/** @param {string} text */
function capitalized(text) {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/**
 * @param {string} language
 * @param {string} text
 */
function fence(language, text) {
  return `\`\`\`${language}\n${text}\n\`\`\``;
}

/**
 * @template T
 * @param {readonly T[]} all
 * @param {(one: T) => string} keyOf
 */
function groupBy(all, keyOf) {
  /** @type {Map<string, T[]>} */
  const groups = new Map();
  for (const one of all) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one]);
  return groups;
}
