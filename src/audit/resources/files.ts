import type { ResourceSpec } from '../types.js';

// Files that are held open.

/** The module, and those that stand in for it. */
const MODULES = ['fs', 'fs-extra', 'graceful-fs'];

/** Options of a stream that does not close what it reads from or writes to. */
const STAYS_OPEN = /\bautoClose\s*:\s*false\b/;

export const fileHandle: ResourceSpec = {
  id: 'file-handle',
  title: 'an open file handle',
  acquire: [
    { kind: 'function', name: 'open', from: ['fs/promises'], inFilesWith: 'fs' },
    {
      kind: 'method',
      name: 'open',
      on: ['fs/promises#', 'fs#promises'],
      named: /^fs_?p(romises)?$/i,
      inFilesWith: 'fs',
    },
  ],
  repair: { acquire: ['open'], release: 'close', awaits: true, endsTransaction: true },
  release: { methods: ['close'], takes: [], ofParent: [] },
  protocol: [],
  handoff: ['createReadStream', 'createWriteStream', 'readLines', 'readableWebStream'],
  handoffUnless: STAYS_OPEN,
  docs: {
    why: 'A handle is a file descriptor. A process has a limited number of them (ulimit -n), and then it cannot open sockets either.',
    leaks: `import { open } from 'node:fs/promises';
export async function head(path: string) {
  const file = await open(path);
  const { buffer } = await file.read({ length: 100 });
  await file.close();
  return buffer;
}`,
    fixed: `import { open } from 'node:fs/promises';
export async function head(path: string) {
  const file = await open(path);
  try {
    const { buffer } = await file.read({ length: 100 });
    return buffer;
  } finally {
    await file.close();
  }
}`,
    exceptions: 'A stream that is made of a handle closes it. await using closes a handle, too.',
  },
};

export const fileDescriptor: ResourceSpec = {
  id: 'file-descriptor',
  title: 'an open file descriptor',
  acquire: [
    { kind: 'function', name: 'openSync', from: MODULES },
    { kind: 'method', name: 'openSync', on: MODULES.map((one) => `${one}#`), named: /^fs$/ },
  ],
  release: { methods: [], takes: ['closeSync', 'close'], ofParent: [] },
  protocol: [],
  handoff: ['createReadStream', 'createWriteStream', 'spawn', 'fork'],
  handoffUnless: STAYS_OPEN,
  isSync: true,
  docs: {
    why: 'A process has a limited number of file descriptors (ulimit -n), and then it cannot open sockets either.',
    leaks: `import { closeSync, openSync, readSync } from 'node:fs';
export function head(path: string) {
  const fd = openSync(path, 'r');
  const bytes = Buffer.alloc(100);
  readSync(fd, bytes);
  closeSync(fd);
  return bytes;
}`,
    fixed: `import { closeSync, openSync, readSync } from 'node:fs';
export function head(path: string) {
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(100);
    readSync(fd, bytes);
    return bytes;
  } finally {
    closeSync(fd);
  }
}`,
    exceptions: 'A stream that is made of a descriptor closes it.',
  },
};
