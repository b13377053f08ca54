import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bin } from '../helpers/bin.js';

it.skipIf(process.platform === 'win32')(
  'init leaves nothing half where a file cannot be written whole',
  async () => {
    const cwd = await mkdtemp(join(tmpdir(), 'poolctl-disk-'));
    await writeFile(join(cwd, 'userlist.txt'), 'old');
    // No file may become larger than a block: as on a full disk, writing fails in the middle.
    const script = `trap '' XFSZ; ulimit -f 1; exec "$0" "$@"`;
    const argv = [bin, 'pgbouncer', 'init', 'postgres://u:p@h/db', '--force', '--target-version', '1.18'];
    const { status, stderr } = spawnSync('sh', ['-c', script, process.execPath, ...argv], {
      cwd,
      encoding: 'utf8',
    });
    expect(status).toBe(3);
    expect(stderr).toContain('pgbouncer.ini cannot be written: it would become too large');
    expect(await readdir(cwd)).toEqual(['userlist.txt']);
    expect(await readFile(join(cwd, 'userlist.txt'), 'utf8')).toBe('old');
    await rm(cwd, { recursive: true });
  },
);
