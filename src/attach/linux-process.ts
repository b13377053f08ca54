import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';
import { type InspectorFlags, inspectorFlags } from './flags.js';
import { type TcpSocket, tcpSockets } from './sockets.js';

/** The facts about a process that Linux tells. */
export interface ProcessFacts {
  readonly pid: number;
  readonly uid: number;
  /** The program file; null where it may not be read. */
  readonly program: string | null;
  readonly commandLine: readonly string[];
  readonly flags: InspectorFlags;
  /** `running`, or why it does not run. */
  readonly state: 'running' | 'stopped' | 'traced' | 'ended';
  /** The effect of SIGUSR1. `default` would end the process. */
  readonly sigusr1: 'caught' | 'ignored' | 'default' | 'blocked';
  /** Namespaces in which it is, and poolctl is not: `net`, `pid`, `mnt`. */
  readonly foreign: readonly string[];
  /** Its own sockets. */
  readonly sockets: readonly TcpSocket[];
}

const SIGUSR1 = 1n << 9n;
const NAMESPACES = ['pid', 'mnt', 'net'] as const;

/** null where there is no such process. Throws what the system says where it may not be read. */
export async function linuxProcess(pid: number): Promise<ProcessFacts | null> {
  const folder = `/proc/${pid}`;
  const status = await readFile(`${folder}/status`, 'utf8').catch(() => null);
  if (status === null) return null;
  const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
  const program = await readlink(`${folder}/exe`).catch(() => null);
  const commandLine = (await readFile(`${folder}/cmdline`, 'utf8').catch(() => '')).split('\0').slice(0, -1);
  const environment = (await readFile(`${folder}/environ`, 'utf8').catch(() => '')).split('\0');
  const nodeOptions =
    environment.find((one) => one.startsWith('NODE_OPTIONS='))?.slice('NODE_OPTIONS='.length) ?? '';
  return {
    pid,
    uid: Number(field('Uid').split(/\s+/)[0]),
    program: program?.replace(/ \(deleted\)$/, '') ?? null,
    commandLine,
    flags: inspectorFlags(commandLine, nodeOptions),
    state: stateOf(field('State')),
    sigusr1: await signalOf(folder, field),
    foreign: await foreignNamespaces(folder),
    sockets: await socketsOf(folder),
  };
}

/** The sockets of all processes that poolctl can see beside this one, by their port. */
export async function ownerOfPort(port: number): Promise<string | null> {
  const inodes = new Set(
    (await allSockets('/proc/self'))
      .filter((one) => one.port === port && one.state === 'listening')
      .map(({ inode }) => inode),
  );
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const own = await inodesOf(`/proc/${name}`);
    if ([...inodes].some((inode) => own.has(inode))) {
      const words = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).split('\0');
      return `process ${name} (${[basename(words[0] ?? ''), ...words.slice(1, 3)].join(' ').trim()})`;
    }
  }
  return null;
}

/** The sockets that listen on a port of this machine, as the network namespace of poolctl has them. */
export async function listenersOn(port: number): Promise<readonly TcpSocket[]> {
  return (await allSockets('/proc/self')).filter((one) => one.port === port && one.state === 'listening');
}

/** The sockets of one process. */
export async function socketsOf(folder: string): Promise<readonly TcpSocket[]> {
  const own = await inodesOf(folder);
  return (await allSockets(folder)).filter(({ inode }) => own.has(inode));
}

async function allSockets(folder: string): Promise<readonly TcpSocket[]> {
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`${folder}/net/${name}`, 'utf8').catch(() => '')),
  );
  return tables.flatMap(tcpSockets);
}

async function inodesOf(folder: string): Promise<Set<number>> {
  const names = await readdir(`${folder}/fd`).catch(() => []);
  const links = await Promise.all(names.map((name) => readlink(`${folder}/fd/${name}`).catch(() => '')));
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []).map(Number));
}

function stateOf(text: string): ProcessFacts['state'] {
  switch (text[0]) {
    case 'T':
      return 'stopped';
    case 't':
      return 'traced';
    case 'Z':
    case 'X':
      return 'ended';
    default:
      return 'running';
  }
}

/** A signal to the process goes to any thread that does not block it. */
async function signalOf(folder: string, field: (name: string) => string): Promise<ProcessFacts['sigusr1']> {
  const has = (mask: string): boolean => (BigInt(`0x${mask || '0'}`) & SIGUSR1) !== 0n;
  if (has(field('SigIgn'))) return 'ignored';
  if (!has(field('SigCgt'))) return 'default';
  const threads = await readdir(`${folder}/task`).catch(() => []);
  const statuses = await Promise.all(
    threads.map((id) => readFile(`${folder}/task/${id}/status`, 'utf8').catch(() => '')),
  );
  const masks = statuses.flatMap((status) => /^SigBlk:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? []);
  return masks.length > 0 && masks.every(has) ? 'blocked' : 'caught';
}

async function foreignNamespaces(folder: string): Promise<readonly string[]> {
  const foreign = await Promise.all(
    NAMESPACES.map(async (name) => {
      const [its, own] = await Promise.all(
        [folder, '/proc/self'].map((one) => readlink(`${one}/ns/${name}`).catch(() => null)),
      );
      return its !== null && own !== null && its !== own ? name : null;
    }),
  );
  return foreign.filter((name) => name !== null);
}
