import { describe, expect, it } from 'vitest';
import { metadataBlockers, userLockOf } from '../../src/sources/mysql-locks.js';
import type { ThreadRow } from '../../src/sources/mysql-rows.js';

const thread = (own: Partial<ThreadRow>): ThreadRow => ({
  ...{ id: 1, database_name: 'shop', user_name: 'app', host: 'localhost', command: 'Query', time_ms: 100 },
  ...{ state: null, query: null, is_own: 0, trx_state: null, transaction_ms: null },
  ...own,
});
const WAITING = 'Waiting for table metadata lock';
const alter = thread({ id: 5, time_ms: 3000, state: WAITING, query: 'ALTER TABLE `accounts` ADD x int' });
const reader = thread({ id: 4, command: 'Sleep', trx_state: 'RUNNING', transaction_ms: 9000 });

describe('who holds a metadata lock', () => {
  it('is the oldest open transaction, for a schema change', () => {
    const younger = thread({ id: 3, trx_state: 'RUNNING', transaction_ms: 1000 });
    expect(metadataBlockers([younger, reader, alter])).toEqual([{ waiter: 5, blocker: 4 }]);
  });

  it('is the schema change, for those that came after it', () => {
    const later = thread({ id: 6, state: WAITING, query: 'select * from accounts where id = 1' });
    expect(metadataBlockers([reader, alter, later])).toContainEqual({ waiter: 6, blocker: 5 });
    expect(metadataBlockers([reader, alter, later])).not.toContainEqual({ waiter: 6, blocker: 4 });
  });

  it('is not a schema change of another table', () => {
    const other = thread({ id: 6, time_ms: 2500, state: WAITING, query: 'select * from accounts_old' });
    expect(metadataBlockers([reader, alter, other])).toContainEqual({ waiter: 6, blocker: 4 });
  });
});

describe('the name in GET_LOCK', () => {
  it.each([
    [{ state: 'User lock', query: "select get_lock('nightly', 60)" }, 'nightly'],
    [{ state: 'User lock', query: "SELECT GET_LOCK('it''s', 1) AS ok" }, "it's"],
    [{ state: 'User lock', query: 'select get_lock(?, 1)' }, null],
    [{ state: 'executing', query: "select get_lock('nightly', 60)" }, null],
  ])('%j: %s', (own, name) => {
    expect(userLockOf(thread(own))).toBe(name);
  });
});
