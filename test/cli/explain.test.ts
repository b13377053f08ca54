import { describe, expect, it } from 'vitest';
import { CHECKS } from '../../src/doctor/registry.js';
import { type Entry, entriesOf, findEntries } from '../../src/explain/entries.js';
import { renderText } from '../../src/report/explain/text.js';
import { poolctl } from '../helpers/bin.js';

const PAGE = `# Errors

## Pools

### ERR_A

First \`code\` and [a link](x.md).

\`\`\`sh
### no heading
\`\`\`

### ERR_B

> a quote

## Others

Text of no entry.
`;

describe('the entries of a page', () => {
  it('are its headings of one level, without code and what follows a higher heading', () => {
    const entries = entriesOf({ kind: 'error', level: 3, text: PAGE });
    expect(entries.map(({ id }) => id)).toEqual(['ERR_A', 'ERR_B']);
    expect(entries[0]?.body).toContain('### no heading');
    expect(entries[1]?.body).toBe('> a quote');
  });

  it('are drawn without the marks of Markdown', () => {
    const entries = entriesOf({ kind: 'error', level: 3, text: PAGE });
    const text = renderText(entries, { color: false, unicode: true, width: 80, cwd: '/' });
    expect(text).toBe(
      'ERR_A (error)\n\nFirst code and a link.\n\n  ### no heading\n\nERR_B (error)\n\n  a quote\n',
    );
  });

  const entry = (id: string): Entry => ({ id, kind: 'check', body: '' });
  const known = ['ERR_POOL_TIMEOUT', 'fleet-sum', 'lock-waits'].map(entry);

  it.each([
    ['fleet-sum', ['fleet-sum'], null],
    ['FLEET-SUM', ['fleet-sum'], null],
    ['lock waits', ['lock-waits'], null],
    ['fleetsum', [], 'fleet-sum'],
    ['timeout', [], 'ERR_POOL_TIMEOUT'],
    ['ERR_POOL_TIMOUT', [], 'ERR_POOL_TIMEOUT'],
    ['xyz', [], null],
  ])('are found by %j', (name, ids, suggestion) => {
    const result = findEntries(known, name);
    expect({ ids: result.found.map(({ id }) => id), suggestion: result.suggestion }).toEqual({
      ids,
      suggestion,
    });
  });
});

describe('poolctl explain', () => {
  it.each([
    ['ERR_POOL_TIMEOUT', 'ERR_POOL_TIMEOUT (error)'],
    ['fleet-sum', 'fleet-sum (check)'],
    ['lock chain row', 'lock-chain-row (cause)'],
    ['pg-pool', 'pg-pool (leak rule)'],
    ['not-released-on-throw', 'Repaired'],
  ])('prints %s', async (id, words) => {
    const { code, stdout, stderr } = await poolctl(['explain', ...id.split(' ')]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(words);
  });

  it('lists every check', async () => {
    const { stdout } = await poolctl(['explain', '--list']);
    const listed = stdout.match(/(?<=^check +)\S+/gm);
    expect(listed).toEqual(CHECKS.map(({ id }) => id));
  });

  it('suggests the closest id', async () => {
    const { code, stderr } = await poolctl(['explain', 'fleetsum']);
    expect(code).toBe(2);
    expect(stderr).toContain("nothing is called 'fleetsum'\n  hint: did you mean fleet-sum?");
  });

  it('asks for an id', async () => {
    const { code, stderr } = await poolctl(['explain']);
    expect(code).toBe(2);
    expect(stderr).toContain('poolctl explain --list');
  });
});
