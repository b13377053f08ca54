import { describe, expect, it } from 'vitest';
import { kindOf, parametersOf } from '../../src/db/drivers/sqlite-tokens.js';

describe('the parameters of a statement', () => {
  it.each([
    ['select 1', 0, []],
    ['select ?, ?', 2, []],
    ["select '?', \"?\", `?`, [?], x'00', ? -- ? and :a\n, ? /* ? */, ?", 3, []],
    ["select 'it''s ?', ?", 1, []],
    ['select :a, @b, $c, #d, :a', 4, [':a', '@b', '$c', '#d']],
    ['select :a, @a', 2, [':a', '@a']],
    ['select $ns::name(x), $a$b, :größe', 3, ['$ns::name(x)', '$a$b', ':größe']],
    ['select ?2, ?1, ?2, ?', 3, ['?2', '?1']],
    ['select ?7, ?', 8, ['?7']],
    ['select a$b, a?', 1, []],
    ["select json_extract(a, '$.b'), b ->> '$[0]' from t where c = ?", 1, []],
    ['select 1 /* ? ', 0, []],
  ])('of %s are %i, with the names %j', (sql, count, names) => {
    expect(parametersOf(sql)).toEqual({ count, names });
  });
});

describe('a statement', () => {
  it.each([
    ['select 1', 'reads'],
    ['-- insert\nSELECT 1', 'reads'],
    ['values (1)', 'reads'],
    ['pragma user_version', 'reads'],
    ['explain delete from t', 'reads'],
    ['with a as (select 1) select * from a', 'reads'],
    ['with a as (select 1) insert into t select * from a', 'writes'],
    ['insert into t select 1', 'writes'],
    ['insert into t values (1) returning n', 'reads'],
    ["update t set a = 'returning'", 'writes'],
    ['delete from t', 'writes'],
    ['begin immediate', 'writes'],
    ['create table t as select 1', 'writes'],
    ['attach ? as b', 'writes'],
  ])('%s %s rows', (sql, kind) => {
    expect(kindOf(sql)).toBe(kind);
  });
});
