import { describe, expect, it } from 'vitest';
import { CodedError } from '../../src/base/coded-error.js';
import { ValueError } from '../../src/base/units.js';
import { reportOf, UnavailableError, UsageError } from '../../src/cli/errors.js';
import { createInterrupts, type Interruption } from '../../src/cli/interrupts.js';
import { queryAborted } from '../../src/db/errors.js';
import { HttpError } from '../../src/http/errors.js';
import { IbError, type IbErrorCode, PoolExhaustedError } from '../../src/ib/errors.js';
import { PoolError } from '../../src/pool/errors.js';
import { FeedError } from '../../src/ws/errors.js';

const report = (error: unknown, interruption: Interruption | null = null) =>
  reportOf(error, { command: 'draw', interruption, nodeVersion: 'v20.19.0' });

describe('the report of an error', () => {
  it('has all of a usage error, and exit 2', () => {
    expect(report(new UsageError(['a is wrong', { message: 'b is wrong', hint: 'try c' }]))).toEqual({
      exitCode: 2,
      text: "2 problems, nothing was run:\n  a is wrong\n  b is wrong\n    hint: try c\nRun 'poolctl draw --help' for usage.",
    });
  });

  it('says what was not available, why, and what to do, and exit 3', () => {
    const cause = new Error('connect ECONNREFUSED 127.0.0.1:5432');
    const error = new UnavailableError('no server at postgres://anna:s3cret@db', { cause, hint: 'start it' });
    expect(report(error)).toEqual({
      exitCode: 3,
      text: [
        'no server at postgres://anna:***@db (ERR_UNAVAILABLE)',
        '  caused by: connection refused by 127.0.0.1:5432 (ECONNREFUSED)',
        '  hint: start it',
      ].join('\n'),
    });
  });

  it('puts the code of a time-out, which says why in several lines, behind its first', () => {
    const error = new PoolError('ERR_POOL_TIMEOUT', 'pool dry\n  and more', {
      cause: new Error('pool dry'),
      hint: 'rain',
    });
    expect(report(error).text).toBe('pool dry (ERR_POOL_TIMEOUT)\n  and more\n  hint: rain');
  });

  it('keeps the lines of any message that has lines of its own', () => {
    const lines = 'no room\n  for two reasons';
    expect(report(new CodedError('ERR_NEW', lines, { multiline: true })).text).toBe(
      'no room (ERR_NEW)\n  for two reasons',
    );
    expect(report(new CodedError('ERR_NEW', lines)).text).toBe('no room for two reasons (ERR_NEW)');
  });

  it('takes a wrong option of a pool for a wrong option', () => {
    expect(report(new PoolError('ERR_POOL_OPTION', 'size must be a whole number')).exitCode).toBe(2);
    expect(report(new FeedError('ERR_FEED_OPTION', 'the URL of the feed cannot be read')).exitCode).toBe(2);
    expect(report(new HttpError('ERR_HTTP_OPTION', 'maxConnections is 0')).exitCode).toBe(2);
  });

  it('takes a feed or a server that does not answer for one that is not available', () => {
    for (const code of [
      'ERR_FEED_CONNECT',
      'ERR_FEED_AUTH',
      'ERR_FEED_NOT_WEBSOCKET',
      'ERR_FEED_TLS',
    ] as const)
      expect(report(new FeedError(code, 'no feed'))).toEqual({ exitCode: 3, text: `no feed (${code})` });
    for (const code of ['ERR_HTTP_CONNECT', 'ERR_HTTP_TLS', 'ERR_HTTP_PROTOCOL', 'ERR_HTTP_TIMEOUT'] as const)
      expect(report(new HttpError(code, 'no server'))).toEqual({ exitCode: 3, text: `no server (${code})` });
  });

  it.each<IbErrorCode>([
    'ERR_IB_CONNECT',
    'ERR_IB_HANDSHAKE',
    'ERR_IB_NOT_A_GATEWAY',
    'ERR_IB_VERSION',
    'ERR_IB_CLIENT_ID_IN_USE',
    'ERR_IB_CONNECTION_LOST',
    'ERR_IB_PACKAGE',
  ])('takes %s for a gateway, or a package, that is not available', (code) => {
    expect(report(new IbError(code, 'no gateway', { hint: 'start it' }))).toEqual({
      exitCode: 3,
      text: `no gateway (${code})\n  hint: start it`,
    });
  });

  it('takes a gateway that is full for one that is not available, a wrong option for what it is', () => {
    expect(report(new PoolExhaustedError('all are taken', 'share')).exitCode).toBe(3);
    expect(report(new IbError('ERR_IB_OPTION', 'no such thing')).exitCode).toBe(2);
  });

  it.each([
    ["EACCES: permission denied, open 'x'", 'cannot open x: permission denied (EACCES)'],
    [
      "ENOENT: no such file or directory, open '/a b/c'",
      'cannot open /a b/c: there is no such file (ENOENT)',
    ],
    ['EISDIR: illegal operation on a directory, read', 'cannot read: it is a directory (EISDIR)'],
    ['ENOSPC: no space left on device, write', 'cannot write: no space left on the device (ENOSPC)'],
    ["ENOTDIR: not a directory, scandir 'a'", 'cannot read a: part of its path is not a directory (ENOTDIR)'],
    [
      "ENOENT: no such file or directory, mkdtemp '/gone/poolctl-XXXXXX'",
      'cannot create a temporary folder in /gone: there is no such folder (ENOENT); check TMPDIR',
    ],
    ['getaddrinfo ENOTFOUND db.example', 'there is no host db.example (ENOTFOUND)'],
    ['getaddrinfo EAI_AGAIN db.example', 'cannot look up the host db.example (EAI_AGAIN)'],
    ['connect ECONNREFUSED ::1:5432', 'connection refused by ::1:5432 (ECONNREFUSED)'],
    ['connect ENOENT /run/x.sock', 'there is no such socket at /run/x.sock (ENOENT)'],
    [
      'listen EADDRINUSE: address already in use 127.0.0.1:80',
      'the address is in use at 127.0.0.1:80 (EADDRINUSE)',
    ],
    ['read ECONNRESET', 'the connection was reset (ECONNRESET)'],
    ['spawn nosuch ENOENT', 'cannot start nosuch: there is no such program (ENOENT)'],
  ])('puts %j into plain words', (message, text) => {
    const code = /E[A-Z_]{3,}/.exec(message)?.[0];
    const error = Object.assign(new Error(message), { code, syscall: 'open' });
    expect(report(error)).toEqual({ exitCode: 3, text });
  });

  it('says once what the cause says as well', () => {
    const system = Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:1'), {
      code: 'ECONNREFUSED',
      syscall: 'connect',
    });
    const driver = new UnavailableError(
      'cannot connect to PostgreSQL at 10.0.0.1:1: connect ECONNREFUSED 10.0.0.1:1',
      { code: 'ECONNREFUSED', cause: system },
    );
    const console = new UnavailableError(driver.message.replace('PostgreSQL', 'PgBouncer'), {
      code: 'ERR_X',
      cause: driver,
    });
    expect(report(console).text).toBe(
      'cannot connect to PgBouncer at 10.0.0.1:1: connection refused (ECONNREFUSED, ERR_X)',
    );
  });

  it('takes anything else for a defect, with all causes', () => {
    const error = new RangeError('too far', { cause: new TypeError('no map') });
    const { exitCode, text } = report(error);
    expect(exitCode).toBe(70);
    expect(text).toContain('RangeError: too far');
    expect(text).toContain('caused by: TypeError: no map');
    expect(report('a string').exitCode).toBe(70);
    expect(report(undefined).exitCode).toBe(70);
    // Only the shell reads values: one that cannot be read at any other place was not foreseen.
    expect(report(new ValueError('odd')).exitCode).toBe(70);
  });

  it('lets nothing steer the terminal', () => {
    const error = new UnavailableError('said \u001b[2Jno\r\n  and \u0008more');
    expect(report(error).text).toBe('said no and \\x08more (ERR_UNAVAILABLE)');
  });

  it('survives a cause that bites its own tail', () => {
    const error = new Error('a');
    error.cause = error;
    expect(report(error).exitCode).toBe(70);
    const expected = new UnavailableError('b');
    expected.cause = expected;
    expect(report(expected).exitCode).toBe(3);
  });

  it('is the interrupt, where one made the command give up', () => {
    const interrupts = createInterrupts();
    interrupts.receive('SIGTERM');
    const interruption = interrupts.interruption();
    const closed = new PoolError('ERR_POOL_ABORTED', 'gave up');
    expect(report(interrupts.stop.reason, interruption)).toEqual({
      exitCode: 143,
      text: 'stopped by SIGTERM',
    });
    expect(report(closed, interruption).exitCode).toBe(143);
    expect(report(closed)).toEqual({ exitCode: 3, text: 'gave up (ERR_POOL_ABORTED)' });
    const others = [
      new FeedError('ERR_FEED_ABORTED', 'gave up'),
      queryAborted(AbortSignal.abort(), null),
      new CodedError('ERR_NEW', 'gave up', { kind: 'aborted' }),
    ];
    for (const error of others) expect(report(error, interruption).exitCode).toBe(143);
    expect(report(new UnavailableError('gone'), interruption).exitCode).toBe(3);
    expect(report(interrupts.stop.reason).exitCode).toBe(70);
  });
});

describe('interrupts', () => {
  it('stop at the first and abort at the second, and the first one counts', () => {
    const interrupts = createInterrupts();
    const state = () => [
      interrupts.stop.aborted,
      interrupts.abort.aborted,
      interrupts.interruption()?.signal,
    ];
    expect(state()).toEqual([false, false, undefined]);
    interrupts.receive('SIGINT');
    expect(state()).toEqual([true, false, 'SIGINT']);
    interrupts.receive('SIGTERM');
    expect(state()).toEqual([true, true, 'SIGINT']);
  });

  it('are both there after a defect, which is no interruption', () => {
    const interrupts = createInterrupts();
    interrupts.giveUp(new Error('x'));
    expect([interrupts.stop.aborted, interrupts.abort.aborted, interrupts.interruption()]).toEqual([
      true,
      true,
      null,
    ]);
  });
});
