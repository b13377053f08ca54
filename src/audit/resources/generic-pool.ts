import type { ResourceSpec } from '../types.js';

export const genericPool: ResourceSpec = {
  id: 'pool-lease',
  title: 'a lease of a pool',
  acquire: [
    {
      kind: 'method',
      name: 'acquire',
      on: ['generic-pool#*', 'tarn#Pool', 'lightning-pool#*', 'sequelize-pool#*'],
      named: /pool$/i,
      callback: { lease: 1 },
    },
    { kind: 'method', name: 'connect', on: [], named: /pool$/i },
    {
      kind: 'method',
      name: 'getConnection',
      on: [],
      named: /pool|connectionManager|dataSource/i,
      usedBy: /(release|close|destroy|end)\b/,
      callback: { lease: 1 },
    },
    { kind: 'method', name: 'getClient', on: [], named: /pool/i },
  ],
  pools: [
    { kind: 'function', name: 'createPool', from: ['generic-pool', 'lightning-pool'] },
    { kind: 'new', name: 'Pool', from: ['tarn'] },
  ],
  release: {
    methods: ['release', 'close', 'end', 'destroy', 'disconnect', 'drop', 'detach', 'dispose', 'invalidate'],
    takes: ['release', 'destroy', 'releaseConnection', 'releaseClient', 'remove'],
    ofParent: ['end', 'close', 'destroy', 'drain', 'clear', 'disconnect'],
  },
  protocol: ['transaction'],
  docs: {
    why: 'What is not released stays out of the pool. When all is out, every acquire() waits until it times out.',
    leaks: `import { createPool } from 'generic-pool';
declare const factory: Parameters<typeof createPool>[0];
const pool = createPool<{ send(text: string): Promise<string> }>(factory);
export async function ask(text: string) {
  const socket = await pool.acquire();
  const answer = await socket.send(text);
  await pool.release(socket);
  return answer;
}`,
    fixed: `import { createPool } from 'generic-pool';
declare const factory: Parameters<typeof createPool>[0];
const pool = createPool<{ send(text: string): Promise<string> }>(factory);
export async function ask(text: string) {
  const socket = await pool.acquire();
  try {
    return await socket.send(text);
  } finally {
    await pool.release(socket);
  }
}`,
    exceptions: 'pool.use(work) acquires and releases by itself.',
  },
};
