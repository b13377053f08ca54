import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { audit } from '../../src/audit/audit.js';
import { explainedRepair } from '../../src/audit/fix.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-fix-tx-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function errorsIn(text: string) {
  await writeFile(join(folder, 'a.ts'), text);
  return audit(['a.ts'], { cwd: folder }).findings.filter(({ severity }) => severity === 'error');
}

async function repaired(text: string) {
  const found = await errorsIn(text);
  expect(found.length).toBeGreaterThan(0);
  return explainedRepair('a.ts', text, found, { parsesUsing: false, versionOf: () => null });
}

const knex = (lines: string) =>
  `import { knex as create } from 'knex';\nconst knex = create({});\nexport async function work(id: number, keep: unknown[]) {\n${lines}\n}\n`;

describe('the repair of a transaction', () => {
  it('rolls back where something fails before the commit', async () => {
    const { text } = await repaired(
      knex(
        "  const trx = await knex.transaction();\n  await trx('a').delete();\n  await trx.commit();\n  await fetch('http://localhost');",
      ),
    );
    expect(text).toBe(
      knex(`  const trx = await knex.transaction();
  try {
    await trx('a').delete();
    await trx.commit();
  } catch (error) {
    await trx.rollback();
    throw error;
  }
  await fetch('http://localhost');`),
    );
    expect(await errorsIn(text)).toEqual([]);
  });

  it('declares before the try what is needed after it', async () => {
    const { text } = await repaired(
      knex(
        "  const trx = await knex.transaction();\n  const rows = await trx('a').where({ id });\n  await trx.commit();\n  return await Promise.all(rows);",
      ),
    );
    expect(text).toContain(
      "  let rows;\n  try {\n    rows = await trx('a').where({ id });\n    await trx.commit();\n  } catch",
    );
    expect(await errorsIn(text)).toEqual([]);
  });

  it('goes into a catch that forgets it', async () => {
    const { text } = await repaired(
      knex(
        "  const trx = await knex.transaction();\n  try {\n    await trx('a').delete();\n    await trx.commit();\n  } catch (error) {\n    throw new Error('failed', { cause: error });\n  }",
      ),
    );
    expect(text).toContain('  } catch (error) {\n    await trx.rollback();\n    throw new Error');
    expect(await errorsIn(text)).toEqual([]);
  });

  it.each([
    [
      "  const trx = await knex.transaction();\n  keep.push(trx);\n  await trx('a').delete();\n  await trx.commit();",
    ],
    [
      "  const trx = await knex.transaction();\n  if (id > 1) { await trx.commit(); return; }\n  await trx('a').delete();\n  await trx.commit();",
    ],
  ])('is not made where it is not provably right: %#', async (lines) => {
    const source = knex(lines);
    const found = await errorsIn(source);
    const { text, refused } = explainedRepair('a.ts', source, found, {
      parsesUsing: false,
      versionOf: () => null,
    });
    expect(text).toBe(source);
    expect(refused).toHaveLength(found.length);
    for (const { reason } of refused) expect(reason).not.toBe('');
  });

  it.each([
    [
      'sequelize',
      "import { Sequelize } from 'sequelize';\nexport async function f(sequelize: Sequelize) {\n  const transaction = await sequelize.transaction();\n  await sequelize.query('x', { transaction });\n  await transaction.commit();\n}\n",
      'await transaction.rollback();',
    ],
    [
      'mongodb',
      "import mongoose from 'mongoose';\nexport async function f(work: (s: unknown) => Promise<void>) {\n  const session = await mongoose.startSession()\n  await session.withTransaction(async (session) => work(session))\n}\n",
      '  } finally {\n    await session.endSession()\n  }',
    ],
    [
      'typeorm',
      "import { DataSource } from 'typeorm';\nexport async function f(source: DataSource) {\n  const runner = source.createQueryRunner();\n  await runner.startTransaction();\n  await runner.query('x');\n  await runner.commitTransaction();\n  await runner.release();\n}\n",
      'if (runner.isTransactionActive) await runner.rollbackTransaction();',
    ],
  ])('is made for %s', async (_, source, added) => {
    const { text } = await repaired(source);
    expect(text).toContain(added);
    expect(await errorsIn(text)).toEqual([]);
  });
});
