import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { literal } from '../../src/db/drivers/mysql-values.js';
import { codeOf, isSeveral, piecesOf, splitScript, tokensOf } from '../../src/db/mysql-tokens.js';

describe('SQL of MySQL', () => {
  it.each([
    ['select \'?\', "?", `?`, ? -- ?\n, ? /* ? */ # ?\n, ?', 3],
    ["select '\\'?', ?", 1],
    ["select 'it''s ?', ?", 1],
    ['select a--?', 1],
    ['select /*! ? */ /*M!100 ? */ 1', 2],
    ["select 'not closed ?", 0],
    ['select /* not closed ?', 0],
  ])('%j has its placeholders', (sql, count) => {
    expect(piecesOf(sql).length - 1).toBe(count);
  });

  it('knows backslashes only where the session does', () => {
    const sql = "select '\\', ?, '";
    expect(piecesOf(sql).length).toBe(1);
    expect(piecesOf(sql, { backslash: false }).length).toBe(2);
  });

  it('is split as the client of MySQL does', () => {
    expect(splitScript("a; b ';' ; -- c;\n ; /* d; */ e;")).toEqual(['a', " b ';' ", ' /* d; */ e']);
    expect(
      splitScript('x;\ndelimiter //\ncreate procedure p() begin a; b; end//\ny//\ndelimiter ;\nz'),
    ).toEqual(['x', '\ncreate procedure p() begin a; b; end', '\ny', '\nz']);
    const body = 'create or replace definer=u@h procedure p() begin a; b; end';
    expect(splitScript(`set @a = 1; ${body}`)).toEqual(['set @a = 1', ` ${body}`]);
    expect(splitScript('create table a (x int); create table b (x int)').length).toBe(2);
    expect(isSeveral('select 1;')).toBe(false);
    expect(isSeveral('select 1; -- done')).toBe(false);
    expect(isSeveral('select 1; select 2')).toBe(true);
  });

  it('is left as code alone', () => {
    expect(codeOf("select 'for share' /* for share */ from `a` -- x").trim()).toBe("select ''   from `a`");
    expect(codeOf('/*!50000 insert */')).toBe('/*!50000 insert */');
  });

  it('is covered by its tokens, whatever it is', () => {
    const signs = fc.constantFrom(
      "'",
      '"',
      '`',
      '\\',
      '?',
      ';',
      '/*',
      '*/',
      '/*!',
      '--',
      ' ',
      '\n',
      '#',
      'a',
      '1',
    );
    fc.assert(
      fc.property(fc.array(signs), fc.boolean(), (parts, backslash) => {
        const sql = parts.join('');
        expect(
          tokensOf(sql, { backslash })
            .map(({ start, end }) => sql.slice(start, end))
            .join(''),
        ).toBe(sql);
      }),
    );
  });

  it('never reads a value that was written as anything but one text', () => {
    const signs = fc.constantFrom("'", '"', '\\', '?', ';', '\0', '\n', '\x1a', 'a', '--', '/*');
    fc.assert(
      fc.property(fc.array(signs), fc.boolean(), (parts, backslash) => {
        const text = literal(parts.join(''), { backslash, timezone: 'Z' });
        expect(tokensOf(text, { backslash }).map(({ kind }) => kind)).toEqual(['text']);
      }),
    );
  });
});
