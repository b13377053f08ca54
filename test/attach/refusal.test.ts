import { describe, expect, it } from 'vitest';
import { inspectorFlags } from '../../src/attach/flags.js';
import type { ProcessFacts } from '../../src/attach/linux-process.js';
import { refusalOf } from '../../src/attach/refusal.js';
import { tcpSockets } from '../../src/attach/sockets.js';

const node: ProcessFacts = {
  ...{ pid: 4711, uid: 1000, program: '/usr/bin/node', commandLine: ['node', 'app.js'] },
  flags: inspectorFlags(['node', 'app.js'], ''),
  ...{ state: 'running', sigusr1: 'caught', foreign: [], sockets: [] },
};
const listening = { host: '127.0.0.1', port: 9229, state: 'listening', inode: 7 } as const;

describe('a process that cannot be attached', () => {
  it.each<[string, Partial<ProcessFacts>, string | null]>([
    ['one like others', {}, null],
    ['node of a distribution', { program: '/opt/node-v22.3.0' }, null],
    ['its inspector is open, and nobody is connected', { sockets: [listening] }, null],
    ['it has ended', { state: 'ended' }, 'ERR_ATTACH_PROCESS'],
    ['of another user', { uid: 1001 }, 'ERR_ATTACH_USER'],
    ['Python', { program: '/usr/bin/python3.11' }, 'ERR_ATTACH_NOT_NODE'],
    ['bun', { program: '/usr/bin/bun' }, 'ERR_ATTACH_NOT_NODE'],
    ['a part of the kernel', { program: null, commandLine: [] }, 'ERR_ATTACH_NOT_NODE'],
    ['a container', { foreign: ['pid', 'mnt', 'net'] }, 'ERR_ATTACH_NAMESPACE'],
    ['stopped', { state: 'stopped' }, 'ERR_ATTACH_INSPECTOR'],
    ['in gdb', { state: 'traced' }, 'ERR_ATTACH_DEBUGGED'],
    ['SIGUSR1 would end it', { sigusr1: 'default' }, 'ERR_ATTACH_INSPECTOR'],
    ['SIGUSR1 is ignored', { sigusr1: 'ignored' }, 'ERR_ATTACH_INSPECTOR'],
    ['SIGUSR1 is blocked', { sigusr1: 'blocked' }, 'ERR_ATTACH_INSPECTOR'],
    [
      'a debugger is connected',
      { sockets: [listening, { ...listening, state: 'connected', inode: 8 }] },
      'ERR_ATTACH_DEBUGGED',
    ],
    [
      'the signal is switched off',
      { flags: inspectorFlags(['node', '--disable-sigusr1', 'app.js'], '') },
      'ERR_ATTACH_INSPECTOR',
    ],
    [
      'the permission model',
      { flags: inspectorFlags(['node', 'app.js'], '--permission') },
      'ERR_ATTACH_INSPECTOR',
    ],
    [
      'its inspector would open to the network',
      { flags: inspectorFlags(['node', '--inspect-port=0.0.0.0:9229', 'app.js'], '') },
      'ERR_ATTACH_PORT',
    ],
  ])('%s', (_, facts, code) => {
    const refusal = refusalOf({ ...node, ...facts }, { uid: 1000, portTakenBy: null });
    expect(refusal?.code ?? null).toBe(code);
  });

  it('its port is taken', () => {
    const refusal = refusalOf(node, { uid: 1000, portTakenBy: 'process 5 (node)' });
    expect(refusal?.message).toBe(
      'the inspector of process 4711 cannot open: port 9229 is taken by process 5 (node)',
    );
  });
});

describe('the options of a Node process', () => {
  it.each<[string[], string, object]>([
    [['node', 'app.js'], '', { host: '127.0.0.1', port: 9229, isOpen: false, shutBy: null }],
    [['node', '--inspect-port=9300', 'app.js'], '', { port: 9300 }],
    [['node', '--inspect-port', '127.0.0.1:9301', 'app.js'], '', { host: '127.0.0.1', port: 9301 }],
    [['node', '--inspect_port=[::1]:0', 'app.js'], '', { host: '::1', port: 0 }],
    [['node', '-r', './x.js', '--debug-port=9302', 'app.js'], '', { port: 9302 }],
    [['node', '--inspect=0.0.0.0', 'app.js'], '', { host: '0.0.0.0', port: 9229, isOpen: true }],
    [['node', 'app.js', '--inspect-port=9303', '--disable-sigusr1'], '', { port: 9229, shutBy: null }],
    [['node', '-e', '--permission', '--inspect-port=1'], '', { port: 9229, shutBy: null }],
    [['node', 'app.js'], '--max-old-space-size=99 --inspect-port="9304"', { port: 9304 }],
    [['node', '--inspect-port=9305', 'app.js'], '--inspect-port=9304', { port: 9305 }],
    [['a title'], '--disable-sigusr1', { shutBy: '--disable-sigusr1' }],
  ])('%j %s', (commandLine, nodeOptions, expected) => {
    expect(inspectorFlags(commandLine, nodeOptions)).toMatchObject(expected);
  });
});

it('reads the tables of TCP sockets, in the byte order of this machine', () => {
  const head =
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
  const table = [
    head,
    '   0: 0100007F:240D 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 00000000',
    '   1: 0100007F:240D 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4243 1 00000000',
    '   2: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4244 1 0',
    '   3: 0000000000000000FFFF00000100007F:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4245 1 0',
    '   4: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4246 1 0',
    'damaged',
  ].join('\n');
  expect(tcpSockets(table).map(({ host, port, state, inode }) => [host, port, state, inode])).toEqual([
    ['127.0.0.1', 9229, 'listening', 4242],
    ['127.0.0.1', 9229, 'connected', 4243],
    ['::1', 8080, 'listening', 4244],
    ['127.0.0.1', 8081, 'listening', 4245],
    ['::', 80, 'listening', 4246],
  ]);
});
