import type { ResourceSpec } from '../types.js';

// Connections, threads and cursors that a function opens for itself.

export const postgresReserved: ResourceSpec = {
  id: 'postgres-reserved',
  title: 'a reserved connection of postgres.js',
  acquire: [
    {
      kind: 'method',
      name: 'reserve',
      on: ['postgres#*'],
      named: /^(sql|db|pg|client|postgres)$/i,
      usedBy: /release\b/,
      inFilesWith: 'postgres',
    },
  ],
  release: {
    methods: ['release'],
    takes: [],
    ofParent: [],
    usedAfter: 'the connection may already be in use by somebody else',
  },
  protocol: [],
  docs: {
    why: 'A reserved connection is out of the pool until release(). When all are out, every query waits.',
    leaks: `import postgres from 'postgres';
const sql = postgres();
export async function total(day: string) {
  const reserved = await sql.reserve();
  const [row] = await reserved\`select sum(amount) from orders where day = \${day}\`;
  reserved.release();
  return row;
}`,
    fixed: `import postgres from 'postgres';
const sql = postgres();
export async function total(day: string) {
  const reserved = await sql.reserve();
  try {
    const [row] = await reserved\`select sum(amount) from orders where day = \${day}\`;
    return row;
  } finally {
    reserved.release();
  }
}`,
    exceptions: 'begin() reserves and releases by itself.',
  },
};

export const pgCursor: ResourceSpec = {
  id: 'pg-cursor',
  title: 'a cursor of pg-cursor',
  acquire: [{ kind: 'new', name: 'Cursor', from: ['pg-cursor'], endedBy: /close\b/ }],
  isPart: true,
  release: { methods: ['close'], takes: [], ofParent: ['end'] },
  protocol: ['read'],
  docs: {
    why: 'A client with an open cursor runs no other query. If it returns to the pool that way, it blocks the next borrower.',
    leaks: `import type { PoolClient } from 'pg';
import Cursor from 'pg-cursor';
export async function first(client: PoolClient, use: (rows: unknown[]) => Promise<void>) {
  const cursor = client.query(new Cursor('select * from trades'));
  await use(await cursor.read(100));
  await cursor.close();
}`,
    fixed: `import type { PoolClient } from 'pg';
import Cursor from 'pg-cursor';
export async function first(client: PoolClient, use: (rows: unknown[]) => Promise<void>) {
  const cursor = client.query(new Cursor('select * from trades'));
  try {
    await use(await cursor.read(100));
  } finally {
    await cursor.close();
  }
}`,
    exceptions: 'A cursor that has been read to its end, or has failed, is closed.',
  },
};

export const worker: ResourceSpec = {
  id: 'worker',
  title: 'a worker thread',
  acquire: [{ kind: 'new', name: 'Worker', from: ['worker_threads'], endedBy: /terminate\b/ }],
  release: { methods: ['terminate'], takes: [], ofParent: [] },
  protocol: [],
  handoff: ['on', 'once', 'addListener'],
  docs: {
    why: 'A worker is a thread with a heap of its own, until it is terminated or its program ends.',
    leaks: `import { Worker } from 'node:worker_threads';
declare function answerOf(worker: Worker): Promise<unknown>;
export async function work(file: string) {
  const worker = new Worker(file);
  const answer = await answerOf(worker);
  await worker.terminate();
  return answer;
}`,
    fixed: `import { Worker } from 'node:worker_threads';
declare function answerOf(worker: Worker): Promise<unknown>;
export async function work(file: string) {
  const worker = new Worker(file);
  try {
    const answer = await answerOf(worker);
    return answer;
  } finally {
    await worker.terminate();
  }
}`,
    exceptions:
      'A worker that ends by itself need not be terminated: only functions that do so are looked at.',
  },
};

export const ssh: ResourceSpec = {
  id: 'ssh-connection',
  title: 'an SSH connection',
  acquire: [
    { kind: 'new', name: 'Client', from: ['ssh2'], isWhole: true, armedBy: ['connect'] },
    { kind: 'new', name: 'NodeSSH', from: ['node-ssh'], isWhole: true, armedBy: ['connect'] },
    { kind: 'new', name: 'default', from: ['ssh2-sftp-client'], isWhole: true, armedBy: ['connect'] },
    { kind: 'new', name: 'Client', from: ['ssh2-sftp-client'], isWhole: true, armedBy: ['connect'] },
    { kind: 'new', name: 'SftpClient', from: ['ssh2-sftp-client'], isWhole: true, armedBy: ['connect'] },
  ],
  release: { methods: ['end', 'destroy', 'dispose'], takes: [], ofParent: [] },
  protocol: ['connect'],
  docs: {
    why: 'A connection keeps its socket and a session of the server until it is ended.',
    leaks: `import { NodeSSH, type Config } from 'node-ssh';
export async function uptime(config: Config) {
  const ssh = new NodeSSH();
  await ssh.connect(config);
  const { stdout } = await ssh.execCommand('uptime');
  ssh.dispose();
  return stdout;
}`,
    fixed: `import { NodeSSH, type Config } from 'node-ssh';
export async function uptime(config: Config) {
  const ssh = new NodeSSH();
  await ssh.connect(config);
  try {
    const { stdout } = await ssh.execCommand('uptime');
    return stdout;
  } finally {
    ssh.dispose();
  }
}`,
    exceptions:
      'A client that the whole process shares, in a module or a field, is no leak. Neither is one that a function hands on.',
  },
};

export const ldap: ResourceSpec = {
  id: 'ldap-client',
  title: 'an LDAP client',
  acquire: [
    { kind: 'function', name: 'createClient', from: ['ldapjs'], isWhole: true },
    { kind: 'method', name: 'createClient', on: ['ldapjs#'], isWhole: true },
    { kind: 'new', name: 'Client', from: ['ldapts'], isWhole: true, lazy: true },
  ],
  release: { methods: ['unbind', 'destroy'], takes: [], ofParent: [] },
  protocol: ['bind'],
  docs: {
    why: 'A client keeps its socket, and its place among the connections of the directory, until unbind().',
    leaks: `import { Client } from 'ldapts';
export async function find(url: string, name: string) {
  const client = new Client({ url });
  await client.bind('cn=reader', 'secret');
  const { searchEntries } = await client.search('ou=people', { filter: \`(uid=\${name})\` });
  await client.unbind();
  return searchEntries;
}`,
    fixed: `import { Client } from 'ldapts';
export async function find(url: string, name: string) {
  const client = new Client({ url });
  await client.bind('cn=reader', 'secret');
  try {
    const { searchEntries } = await client.search('ou=people', { filter: \`(uid=\${name})\` });
    return searchEntries;
  } finally {
    await client.unbind();
  }
}`,
    exceptions:
      'A client that the whole process shares, in a module or a field, is no leak. Neither is one that a function hands on.',
  },
};

export const tedious: ResourceSpec = {
  id: 'tedious-connection',
  title: 'a connection of tedious',
  acquire: [{ kind: 'new', name: 'Connection', from: ['tedious'], isWhole: true, armedBy: ['connect'] }],
  release: { methods: ['close'], takes: [], ofParent: [] },
  protocol: ['connect'],
  docs: {
    why: 'A connection stays open until close().',
    leaks: `import { Connection, type ConnectionConfiguration } from 'tedious';
declare function ask(connection: Connection): Promise<unknown>;
export async function report(config: ConnectionConfiguration) {
  const connection = new Connection(config);
  connection.connect();
  const rows = await ask(connection);
  connection.close();
  return rows;
}`,
    fixed: `import { Connection, type ConnectionConfiguration } from 'tedious';
declare function ask(connection: Connection): Promise<unknown>;
export async function report(config: ConnectionConfiguration) {
  const connection = new Connection(config);
  connection.connect();
  try {
    const rows = await ask(connection);
    return rows;
  } finally {
    connection.close();
  }
}`,
    exceptions:
      'A client that the whole process shares, in a module or a field, is no leak. Neither is one that a function hands on.',
  },
};

export const snowflake: ResourceSpec = {
  id: 'snowflake-connection',
  title: 'a Snowflake connection',
  acquire: [
    {
      kind: 'function',
      name: 'createConnection',
      from: ['snowflake-sdk'],
      isWhole: true,
      armedBy: ['connect', 'connectAsync'],
    },
    {
      kind: 'method',
      name: 'createConnection',
      on: ['snowflake-sdk#'],
      isWhole: true,
      armedBy: ['connect', 'connectAsync'],
    },
  ],
  release: { methods: ['destroy'], takes: [], ofParent: [] },
  protocol: ['connect', 'connectAsync'],
  docs: {
    why: 'A connection keeps its session at the server until destroy(), and its heartbeat keeps the process running.',
    leaks: `import snowflake, { type Connection, type ConnectionOptions } from 'snowflake-sdk';
declare function ask(connection: Connection): Promise<unknown>;
export async function report(options: ConnectionOptions) {
  const connection = snowflake.createConnection(options);
  await connection.connectAsync(() => undefined);
  const rows = await ask(connection);
  connection.destroy(() => undefined);
  return rows;
}`,
    fixed: `import snowflake, { type Connection, type ConnectionOptions } from 'snowflake-sdk';
declare function ask(connection: Connection): Promise<unknown>;
export async function report(options: ConnectionOptions) {
  const connection = snowflake.createConnection(options);
  await connection.connectAsync(() => undefined);
  try {
    const rows = await ask(connection);
    return rows;
  } finally {
    connection.destroy(() => undefined);
  }
}`,
    exceptions:
      'A client that the whole process shares, in a module or a field, is no leak. Neither is one that a function hands on.',
  },
};

export const ftp: ResourceSpec = {
  id: 'ftp-client',
  title: 'an FTP client',
  acquire: [{ kind: 'new', name: 'Client', from: ['basic-ftp'], armedBy: ['access', 'connect'] }],
  repair: { acquire: ['Client'], release: 'close', awaits: false, endsTransaction: true },
  release: { methods: ['close'], takes: [], ofParent: [] },
  protocol: ['access', 'connect'],
  docs: {
    why: 'A client keeps its control connection open until close().',
    leaks: `import { Client } from 'basic-ftp';
export async function list(host: string) {
  const client = new Client();
  await client.access({ host });
  const files = await client.list();
  client.close();
  return files;
}`,
    fixed: `import { Client } from 'basic-ftp';
export async function list(host: string) {
  const client = new Client();
  await client.access({ host });
  try {
    const files = await client.list();
    return files;
  } finally {
    client.close();
  }
}`,
    exceptions:
      'A client that the whole process shares, in a module or a field, is no leak. Neither is one that a function hands on.',
  },
};
