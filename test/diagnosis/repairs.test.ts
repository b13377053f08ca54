import { expect, it } from 'vitest';
import { factsOf } from '../../src/diagnosis/facts.js';
import { CAUSES } from '../../src/diagnosis/registry.js';
import { stepsOf } from '../../src/diagnosis/steps.js';
import type { SourceState } from '../../src/snapshot/reading.js';
import { askMysql, describeWithMariaDb } from '../helpers/mysql.js';
import { ask, describeWithPostgres } from '../helpers/postgres.js';
import { pool, server, source } from '../top/helpers.js';

const NAME = 'Repairs of "app"';

/** The statements that a cause prints for a pool of this role and database, on this server. */
function statementsOf(server: SourceState): string[] {
  const observed = {
    ...{ ageMs: 1000, site: null, queries: 1, queryErrors: [], namedStatements: null, waiterSites: [] },
    ...{ nestedWaiters: null, createErrorCode: null, createErrorMs: null, slowestConnectMs: null },
    ...{ lostIdle: null, lostLent: null, openIdle: null, sessionState: [] },
    address: { host: 'db', port: 1, database: NAME, user: NAME },
  };
  const facts = factsOf({ atMs: 0, sources: [source({ pools: [pool({ observed })] }), server] });
  const [fact] = facts.pools;
  if (fact === undefined) throw new Error('there is a pool');
  const found = {
    ...{ severity: 'bad' as const, explains: [], words: '', source: fact.source },
    subject: { kind: 'pool' as const, key: fact.key, source: fact.source },
  };
  const steps = CAUSES.flatMap(({ repair }) => stepsOf(found, repair, facts));
  return [...new Set(steps.filter(({ kind }) => kind === 'sql').map(({ text }) => text))];
}

describeWithPostgres('the statements of repairs, on PostgreSQL', () => {
  it('are all taken as they are printed', async () => {
    const statements = statementsOf(source({ source: 'pg', kind: 'postgres', server: server() }));
    expect(statements.length).toBeGreaterThan(5);
    await ask(`create role "${NAME.replaceAll('"', '""')}"`);
    const failed: string[] = [];
    try {
      // The database is made by one of the statements, and another one gives rights on it.
      const inOrder = statements.sort(
        (one, other) => Number(/^CREATE/.test(other)) - Number(/^CREATE/.test(one)),
      );
      for (const sql of inOrder)
        await ask(sql).catch((error: unknown) => failed.push(`${sql}: ${String(error)}`));
    } finally {
      await ask(`drop database if exists "${NAME.replaceAll('"', '""')}"`);
      await ask(`drop role "${NAME.replaceAll('"', '""')}"`);
      for (const name of statements.flatMap((sql) => /^ALTER SYSTEM SET (\w+)/.exec(sql)?.[1] ?? []))
        await ask(`alter system reset ${name}`);
      await ask('select pg_reload_conf()');
    }
    expect(failed).toEqual([]);
  });
});

describeWithMariaDb('the statements of repairs, on MariaDB', () => {
  it('are all taken as they are printed', async () => {
    const statements = statementsOf(
      source({ source: 'my', kind: 'mysql', server: server({ version: '10.11.19-MariaDB' }) }),
    );
    expect(statements.length).toBeGreaterThan(3);
    const names = statements.flatMap((sql) => /^SET GLOBAL (\w+)/.exec(sql)?.[1] ?? []);
    const before = await Promise.all(
      names.map(async (name) => (await askMysql(`select @@global.${name} as value`))[0]?.value),
    );
    const failed: string[] = [];
    try {
      for (const sql of statements)
        await askMysql(sql).catch((error: unknown) => failed.push(`${sql}: ${String(error)}`));
    } finally {
      for (const [at, name] of names.entries()) await askMysql(`set global ${name} = ${Number(before[at])}`);
      await askMysql(`drop database if exists \`${NAME}\``);
    }
    expect(failed).toEqual([]);
  });
});
