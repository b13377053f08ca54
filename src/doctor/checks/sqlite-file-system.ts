import { codeStep, fail, forEach, pass, skip } from '../outcome.js';
import { sqliteFile } from '../sqlite-file.js';
import type { Check } from '../types.js';

export const sqliteFileSystem: Check = {
  id: 'sqlite-file-system',
  title: 'SQLite uses a local disk',
  needs: ['sqlite'],
  why:
    'Network file systems do not keep locks as SQLite needs them, and other machines do not see the shared ' +
    'memory of WAL mode. Files become corrupt.',
  details:
    'Asks the system (Linux) for the type of the file system. NFS, SMB, CIFS, AFS, Ceph, 9p, GlusterFS and ' +
    'similar types fail.',
  run: forEach('sqlite', async (target) => {
    const { path, network, fileSystem } = await sqliteFile(target);
    if (network === null)
      return skip(
        fileSystem === null
          ? 'the system does not report the type of the file system'
          : `the storage behind ${fileSystem} is unknown`,
      );
    if (!network) return pass(fileSystem ?? 'a local file system');
    return fail(`the file is on ${fileSystem}`, [path], {
      steps: [codeStep(`move ${path} to a local disk, or use PostgreSQL if several machines need the data`)],
      risk: 'Copy it while nobody uses it, including -wal and -shm.',
    });
  }),
};
