import { codeStep, fail, forEach, pass, skip } from '../outcome.js';
import { sqliteFile } from '../sqlite-file.js';
import type { Check } from '../types.js';

export const sqliteFileSystem: Check = {
  id: 'sqlite-file-system',
  title: 'SQLite is on a disk of its own machine',
  needs: ['sqlite'],
  why:
    'On a network file system locks are not kept as SQLite needs them, and the shared memory of WAL mode does not reach ' +
    'other machines: files get corrupted.',
  details:
    'Asks the system (Linux) for the kind of file system: NFS, SMB, CIFS, AFS, Ceph, 9p, GlusterFS and the like fail.',
  run: forEach('sqlite', async (target) => {
    const { path, network, fileSystem } = await sqliteFile(target);
    if (network === null)
      return skip(
        fileSystem === null
          ? 'the system does not tell the kind of file system'
          : `what is behind ${fileSystem} is not known`,
      );
    if (!network) return pass(fileSystem ?? 'a local file system');
    return fail(`the file is on ${fileSystem}`, [path], {
      steps: [
        codeStep(`move ${path} to a local disk, or use PostgreSQL where several machines need the data`),
      ],
      risk: 'Copy it while nobody uses it, -wal and -shm included.',
    });
  }),
};
