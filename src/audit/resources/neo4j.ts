import type { ResourceSpec } from '../types.js';

export const neo4j: ResourceSpec = {
  id: 'neo4j-session',
  title: 'a Neo4j session',
  acquire: [{ kind: 'method', name: 'session', on: ['neo4j-driver#*'], named: /driver|neo4j/i }],
  pools: [{ kind: 'function', name: 'driver', from: ['neo4j-driver'] }],
  isPersonal: true,
  repair: { acquire: ['session'], release: 'close', awaits: true, endsTransaction: true },
  release: {
    methods: ['close'],
    takes: [],
    ofParent: ['close'],
    usedAfter: 'a session that is closed cannot run queries',
  },
  protocol: ['beginTransaction'],
  docs: {
    why: 'A session holds a connection from its first query until close().',
    leaks: `import neo4j from 'neo4j-driver';
const driver = neo4j.driver('bolt://localhost');
export async function names() {
  const session = driver.session();
  const result = await session.run('match (p:Person) return p.name');
  await session.close();
  return result.records;
}`,
    fixed: `import neo4j from 'neo4j-driver';
const driver = neo4j.driver('bolt://localhost');
export async function names() {
  const session = driver.session();
  try {
    const result = await session.run('match (p:Person) return p.name');
    return result.records;
  } finally {
    await session.close();
  }
}`,
    exceptions: 'driver.executeQuery() needs no session.',
  },
};
