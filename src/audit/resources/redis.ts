import type { ResourceSpec } from '../types.js';

const ENDS = /(quit|close|disconnect|destroy)\b/;

export const redis: ResourceSpec = {
  id: 'redis-client',
  title: 'a Redis client or pool',
  acquire: [
    {
      kind: 'function',
      name: 'createClient',
      from: ['redis', '@redis/client'],
      armedBy: ['connect'],
      endedBy: ENDS,
    },
    {
      kind: 'function',
      name: 'createClientPool',
      from: ['redis', '@redis/client'],
      armedBy: ['connect'],
      endedBy: ENDS,
    },
    {
      kind: 'method',
      name: 'duplicate',
      on: ['redis#*', '@redis/client#*'],
      armedBy: ['connect'],
      endedBy: ENDS,
    },
    { kind: 'method', name: 'duplicate', on: ['ioredis#*'], endedBy: ENDS },
    { kind: 'new', name: 'Redis', from: ['ioredis'], endedBy: ENDS },
  ],
  release: { methods: ['quit', 'close', 'disconnect', 'destroy'], takes: [], ofParent: [] },
  protocol: ['connect', 'ping'],
  docs: {
    why: 'A connected client keeps its socket, and the process running, until it is closed. A server has a limit of clients (maxclients).',
    leaks: `import { createClient } from 'redis';
export async function count(key: string) {
  const client = createClient();
  await client.connect();
  const found = await client.incr(key);
  await client.close();
  return found;
}`,
    fixed: `import { createClient } from 'redis';
export async function count(key: string) {
  const client = createClient();
  await client.connect();
  try {
    return await client.incr(key);
  } finally {
    await client.close();
  }
}`,
    exceptions:
      'A client that the function never closes counts as a client of the whole process. pool.execute(work) lends a client and takes it back. A client lent by generic-pool is a pool-lease.',
  },
};
