import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { spellCheckDocument } from 'cspell-lib';
import { lint } from 'markdownlint/sync';
import { describe, expect, it } from 'vitest';
import { commands } from '../commands/index.js';
import { runMain } from '../src/cli/main.js';
import { root } from './helpers/bin.js';
import { commentsOf, isRelativeClause, placeOf } from './helpers/comments.js';
import { documents } from './helpers/documents.js';
import { texts } from './helpers/imports.js';
import { testIo } from './helpers/io.js';
import { averageOf, paragraphsOf, sentencesOf } from './helpers/prose.js';

/** Words in a sentence at most, and on average in all documents. */
const LONGEST = 30;
const AVERAGE = 17;

/** Phrases that make a text hard to read, with what to write instead. */
const BANNED: readonly (readonly [phrase: RegExp, instead: string])[] = [
  [/\bso (?:it is|is it) with\b/i, 'name the subject'],
  [/\bis (?:to be|found out|told|said)\b/i, 'name the actor: poolctl reports'],
  [/\b(?:shall|lest|whoever|hither|thereof|seldom|in vain|whereupon)\b/i, 'present tense, current words'],
  [/\bthough it be\b/i, 'present tense'],
  [/\btime-outs?\b/i, 'timeout (noun), time out (verb)'],
  [/\bset-up\b/i, 'setup (noun), set up (verb)'],
  [/\bstands? in line\b/i, 'waits for'],
  [
    /\b(?:behaviour|colour|honour|licence|cancell(?:ed|ing)|neighbour|catalogue|analyse[rd]?|favour)(?:s|ed|ing)?\b/i,
    'American spelling',
  ],
];

async function misspelled(text: string): Promise<string[]> {
  const words = readFileSync(join(root, 'cspell.words.txt'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const dictionaries = [
    'en_us',
    'softwareTerms',
    'typescript',
    'node',
    'npm',
    'filetypes',
    'companies',
    'misc',
  ];
  const { issues } = await spellCheckDocument(
    { uri: 'file:///document.md', text, languageId: 'markdown' },
    { noConfigSearch: true, generateSuggestions: false },
    { language: 'en-US', dictionaries, words },
  );
  return [...new Set(issues.map((issue) => issue.text))].sort();
}

function markdownProblems(name: string, text: string): string[] {
  const config = JSON.parse(readFileSync(join(root, '.markdownlint.json'), 'utf8')) as Record<
    string,
    boolean | object
  >;
  const results = lint({ strings: { [name]: text }, config });
  return Object.values(results)
    .flat()
    .map((one) => `${name}:${one.lineNumber} ${one.ruleNames[0]} ${one.errorDetail ?? ''}`.trim());
}

function bannedIn(text: string): string[] {
  return BANNED.flatMap(([phrase, instead]) => {
    const found = phrase.exec(text)?.[0];
    return found === undefined ? [] : [`'${found}': ${instead}`];
  });
}

function longSentences(text: string): string[] {
  return sentencesOf(text)
    .filter(({ words }) => words > LONGEST)
    .map((sentence) => `${sentence.words} words: ${sentence.text}`);
}

/** How often each group of four words occurs in a text, if more than once. */
function repeatedIn(text: string): string[] {
  const words = (text.toLowerCase().match(/[\p{L}\p{N}_:/.@-]+/gu) ?? []).map((word) =>
    word.replace(/[.:]+$/, ''),
  );
  const groups = words.slice(3).map((_, at) => words.slice(at, at + 4).join(' '));
  return groups.filter((group, at) => groups.indexOf(group) !== at);
}

describe('the documents', () => {
  it('are spelled in American English', async () => {
    // Names in code are not words.
    const prose = documents.map(({ text }) => text.replaceAll(/^```[\s\S]*?^```$|`[^`\n]*`/gm, ' '));
    expect(await misspelled(prose.join('\n\n'))).toEqual([]);
  }, 60_000);

  it('are clean Markdown', () => {
    expect(documents.flatMap(({ name, text }) => markdownProblems(name, text))).toEqual([]);
  });

  it(`have sentences of at most ${LONGEST} words`, () => {
    const long = documents.map(({ name, text }) => ({ name, long: longSentences(text) }));
    expect(long.filter((one) => one.long.length > 0)).toEqual([]);
  });

  it(`have sentences of at most ${AVERAGE} words on average, each of them and together`, () => {
    // Of a few sentences one long one makes the average.
    const wordy = documents.filter(({ text }) => {
      const sentences = sentencesOf(text);
      return sentences.length >= 10 && averageOf(sentences) > AVERAGE;
    });
    expect(wordy.map(({ name }) => name)).toEqual([]);
    expect(averageOf(documents.flatMap(({ text }) => sentencesOf(text)))).toBeLessThan(14);
  });

  it('have no banned phrases', () => {
    const found = documents.map(({ name, text }) => ({
      name,
      phrases: paragraphsOf(text).flatMap((paragraph) =>
        bannedIn(paragraph.replaceAll(/`[^`]*`|\]\([^)]*\)/g, '')),
      ),
    }));
    expect(found.filter(({ phrases }) => phrases.length > 0)).toEqual([]);
  });

  it('have a README that is short', () => {
    const readme = documents.find(({ name }) => name === 'README.md');
    expect(readme?.text.split('\n').length).toBeLessThanOrEqual(151);
  });
});

describe('the comments', () => {
  const comments = [...texts].flatMap(([path, text]) =>
    commentsOf(text).map((comment) => ({ place: placeOf(path), path, comment })),
  );
  const places = [...new Set(comments.map(({ place }) => place))].sort();

  it.each(places)('of %s start with a subject or a verb, and have no banned phrases', (place) => {
    const own = comments.filter((one) => one.place === place);
    const wrong = own.filter(({ comment }) => isRelativeClause(comment) || bannedIn(comment).length > 0);
    expect(wrong.map(({ path, comment }) => `${path}: ${comment}`)).toEqual([]);
  });
});

describe('an error of the command line', () => {
  it.each([
    [['loadtest', 'postgres://app@127.0.0.1:1/shop']],
    [['loadtest', 'postgress://app@127.0.0.1:1/shop']],
    [['loadtest', 'sqlite:missing.db']],
    [['loadtest', '--pool-size', 'many', '--duration', '5']],
    [['loadtest', 'http://127.0.0.1:1/']],
    [['loadtest', '--module', 'missing.js']],
    [['loadtest', 'sqlite:missing.db', '--sql-file', 'missing.sql']],
    [['loadtest', '-o', 'missing/result.json']],
    [['audit-leaks', 'missing']],
    [['compare', 'missing.json', 'other.json']],
    [['health', 'pool:127.0.0.1:1']],
    [['top', '--once', 'pgbouncer://stats@127.0.0.1:1/']],
    [['doctor', '--only', 'fleetsum', 'sqlite:missing.db']],
    [['pgbouncer', 'show', 'pools', '--at', 'pgbouncer://stats@127.0.0.1:1/']],
    [['explain', 'fleetsum']],
  ])('says a thing once: %j', async (argv) => {
    const io = testIo({ cwd: root, env: {} });
    const code = await runMain({ version: () => '0', commands }, argv, io);
    expect(code).not.toBe(0);
    const codes: readonly string[] = io.err().match(/\bE[A-Z]+_?[A-Z_]*\b/g) ?? [];
    expect({ text: io.err(), repeated: repeatedIn(io.err()) }).toMatchObject({ repeated: [] });
    expect(codes.filter((one, at) => codes.indexOf(one) !== at)).toEqual([]);
  });
});

describe('a fault of style', () => {
  it('would be seen', async () => {
    expect(await misspelled('The pooll retries. The `codde` is fine: poolctl.')).toContain('pooll');
    expect(markdownProblems('x.md', '# A\n\n### B\n')).toEqual([expect.stringContaining('MD001')]);
    expect(longSentences(`${'word '.repeat(31)}end. Short one.`)).toEqual([
      expect.stringMatching(/^32 words/),
    ]);
    expect(bannedIn('So it is with PostgreSQL: a time-out is told to the caller.')).toHaveLength(3);
    expect(repeatedIn('cannot connect to db: cannot connect to db')).not.toEqual([]);
    expect(commentsOf('/** What is left.\n * Of it. */\nx();\n// a\n// b\n')).toEqual([
      'What is left. Of it.',
      'a b',
    ]);
    expect(['What is left.', 'Keeps what is left.'].map(isRelativeClause)).toEqual([true, false]);
  });
});
