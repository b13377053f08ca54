import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Entities } from '../../src/audit/code/entities.js';
import { findFiles } from '../../src/audit/code/files.js';
import { Project } from '../../src/audit/code/project.js';
import { Effort } from '../../src/audit/effort.js';
import { Functions } from '../../src/audit/flow/program.js';
import { Walk } from '../../src/audit/flow/walk.js';
import { judge } from '../../src/audit/leaks.js';
import { RESOURCES } from '../../src/audit/resources/index.js';
import { findSites, packagesOf, Resources } from '../../src/audit/sites.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-unfollowed-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Follows leases, and no function that is called: the last level of the effort, for functions with too many paths. */
class LeastEffort extends Effort {
  override follow(...[site, program, body]: Parameters<Effort['follow']>): ReturnType<Effort['follow']> {
    const walk = new Walk(program, site, { isCoarse: true, follows: false });
    return { walk, exits: walk.run(body), isExhausted: false, isCoarse: true };
  }
}

async function severitiesIn(lines: string): Promise<(string | undefined)[]> {
  const head = "import { Pool, type PoolClient } from 'pg';\nconst pool = new Pool();\n";
  await writeFile(join(folder, 'a.ts'), `${head}${lines}`);
  const { files } = findFiles(['a.ts'], folder, { exclude: [], honourIgnoreFiles: false });
  const project = new Project(files, packagesOf(RESOURCES));
  const entities = new Entities(project);
  const functions = new Functions(project, entities);
  const sites = project.files.flatMap((unit) => findSites(unit, project, new Resources(RESOURCES), entities));
  return sites.map((site) => judge(site, functions, new LeastEffort()).leak?.severity);
}

it('reports a note of a lease that went to a function of the project which was not followed', async () => {
  const keeps = 'const kept: PoolClient[] = [];\nfunction keep(client: PoolClient) { kept.push(client); }\n';
  const handed =
    "export async function work() {\n  const client = await pool.connect();\n  keep(client);\n  await client.query('select 1');\n}\n";
  expect(await severitiesIn(keeps + handed)).toEqual(['note']);
});

it('reports an error of one that went nowhere', async () => {
  const lines =
    "export async function work() {\n  const client = await pool.connect();\n  await client.query('select 1');\n}\n";
  expect(await severitiesIn(lines)).toEqual(['error']);
});
