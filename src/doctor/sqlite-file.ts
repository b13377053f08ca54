import { stat, statfs } from 'node:fs/promises';
import { platform } from 'node:os';
import type { SqliteTarget } from './types.js';
import { Unknowable } from './unknowable.js';

/** The system's facts on a database file. */
export interface SqliteFile {
  readonly path: string;
  /** Size of the write-ahead log; null if there is none. */
  readonly walBytes: number | null;
  /** Whether the file system is that of another machine, as far as it is known which it is; null where it is not. */
  readonly network: boolean | null;
  /** Its name; null for one that is not known. */
  readonly fileSystem: string | null;
}

/** Throws an Unknowable where there is no file, as in memory. */
export async function sqliteFile(target: SqliteTarget): Promise<SqliteFile> {
  const rows = await target.ask('PRAGMA database_list');
  const path = String(rows.find(({ name }) => name === 'main')?.file ?? '');
  if (path === '') throw new Unknowable('it is in memory');
  const wal = await stat(`${path}-wal`).catch(() => null);
  const { type } = await statfs(path).catch(() => ({ type: null }));
  return { path, walBytes: wal === null ? null : wal.size, ...fileSystemOf(type, platform()) };
}

/** By the magic numbers of Linux (statfs(2)); other systems number them otherwise. */
export function fileSystemOf(
  type: number | null,
  system: string,
): Pick<SqliteFile, 'network' | 'fileSystem'> {
  if (type === null || system !== 'linux') return { network: null, fileSystem: null };
  // Some file systems of old give a negative number where the highest bit is set.
  const magic = type < 0 ? type + 2 ** 32 : type;
  // Anything can be behind it, a disk or a server.
  if (magic === FUSE) return { network: null, fileSystem: 'FUSE' };
  const network = NETWORK.get(magic);
  if (network !== undefined) return { network: true, fileSystem: network };
  return { network: false, fileSystem: LOCAL.get(magic) ?? null };
}

const FUSE = 0x65735546;

const NETWORK: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x00c36400, 'Ceph'],
  [0x01021997, '9p'],
  [0x013111a8, 'GlusterFS'],
  [0x73757245, 'Coda'],
  [0x47504653, 'GPFS'],
  [0x0bd00bd0, 'Lustre'],
]);

const LOCAL: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'XFS'],
  [0x9123683e, 'Btrfs'],
  [0x2fc12fc1, 'ZFS'],
  [0x01021994, 'tmpfs'],
  [0x794c7630, 'overlayfs'],
  [0xf2f52010, 'F2FS'],
]);
