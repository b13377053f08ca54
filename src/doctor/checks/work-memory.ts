import { alterSystem, fail, forEach, pass } from '../outcome.js';
import { postgresSize, settingBytes, settingNumber, settingText } from '../postgres-settings.js';
import { memoryOf } from '../server-memory.js';
import type { Check } from '../types.js';

export const workMemory: Check = {
  id: 'work-memory',
  title: "the memory of all connections fits into the server's memory",
  needs: ['postgres'],
  why:
    'Each sort and each hash of each connection may use work_mem. If all connections do, the system runs ' +
    'out of memory and kills a server process. PostgreSQL then restarts and drops every connection.',
  details:
    'shared_buffers + max_connections x work_mem must be below the memory of the server. The memory is ' +
    '--memory, or that of this machine if the server runs on it. The sum is a lower limit: a query may ' +
    'have several sorts, and a hash uses hash_mem_multiplier times as much.',
  run: forEach('postgres', (target, { options }) => {
    const memory = memoryOf(target, options);
    const [buffers, each, most] = [
      settingBytes(target, 'shared_buffers'),
      settingBytes(target, 'work_mem'),
      settingNumber(target, 'max_connections'),
    ];
    const sum = buffers + most * each;
    const evidence = [
      settingText(target, 'shared_buffers'),
      settingText(target, 'max_connections'),
      settingText(target, 'work_mem'),
    ];
    const summary =
      `${postgresSize(buffers)} + ${most} x ${postgresSize(each)} = ${postgresSize(sum)}, memory ` +
      `${memory.text}`;
    if (sum <= memory.bytes) return pass(summary, evidence);
    // 64 kB is the least that PostgreSQL takes.
    const kilobytes = Math.max(64, Math.floor(Math.max(0, memory.bytes * 0.8 - buffers) / most / 1024));
    return fail(summary, evidence, {
      steps: alterSystem(target, { work_mem: `${kilobytes}kB` }),
      risk:
        'Queries with larger sorts write temporary files and become slower. Give more to the few that need ' +
        'it: SET LOCAL work_mem, or ALTER ROLE ... SET. A pooler with fewer max_connections lets you keep ' +
        'work_mem.',
    });
  }),
};
