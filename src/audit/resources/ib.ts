import type { ResourceSpec } from '../types.js';

export const ib: ResourceSpec = {
  id: 'ib-connection',
  title: 'a connection to Interactive Brokers',
  acquire: [
    { kind: 'new', name: 'IBApi', from: ['@stoqey/ib'], armedBy: ['connect'] },
    { kind: 'new', name: 'IBApiNext', from: ['@stoqey/ib'], armedBy: ['connect'] },
    { kind: 'new', name: 'IB', from: ['ib'], armedBy: ['connect'] },
  ],
  release: { methods: ['disconnect'], takes: [], ofParent: [] },
  protocol: ['connect'],
  docs: {
    why: 'A connection keeps its client id at the gateway until disconnect(); the next one with that id is refused. Take it from one pool, and let the pool disconnect it.',
    leaks: `import { IBApi } from '@stoqey/ib';
export async function now(ask: (ib: IBApi) => Promise<number>) {
  const ib = new IBApi({ clientId: 3 });
  ib.connect();
  const time = await ask(ib);
  ib.disconnect();
  return time;
}`,
    fixed: `import { IBApi } from '@stoqey/ib';
export async function now(ask: (ib: IBApi) => Promise<number>) {
  const ib = new IBApi({ clientId: 3 });
  ib.connect();
  try {
    return await ask(ib);
  } finally {
    ib.disconnect();
  }
}`,
    exceptions: 'A connection that a pool keeps in a field or map belongs to the pool.',
  },
};
