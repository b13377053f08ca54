import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from 'vitest';
import { testIo } from '../helpers/io.js';
import { draw } from './made-up-command.js';

let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'poolctl-options-'));
});
afterEach(() => rm(cwd, { recursive: true }));

async function config(content: unknown) {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  await writeFile(join(cwd, 'poolctl.config.json'), text);
}

describe('an option', () => {
  it('comes from its flag over the environment over the config file over the profile over its default', async () => {
    const at = async (argv: string[], env: Record<string, string>) => {
      const { context } = await draw(argv, testIo({ cwd, env }));
      return [context?.options.poolSize, context?.origins.poolSize.kind];
    };
    expect(await at([], {})).toEqual([5, 'default']);
    expect(await at(['large'], {})).toEqual([100, 'preset']);
    await config({ draw: { poolSize: 7 } });
    expect(await at(['large'], {})).toEqual([7, 'config']);
    expect(await at(['large'], { DB_POOL_SIZE: '8' })).toEqual([8, 'env']);
    expect(await at(['large', '--pool-size', '9'], { DB_POOL_SIZE: '8' })).toEqual([9, 'flag']);
  });

  it('has the type that its table says', async () => {
    const { context } = await draw(['--tag', 'a', '--tag=b', '--no-pre-ping'], testIo());
    const options = context?.options;
    expect(options).toMatchObject({
      tag: ['a', 'b'],
      prePing: false,
      pause: null,
      strict: false,
      color: 'auto',
    });
    if (options === undefined) return;
    expectTypeOf(options.shape).toEqualTypeOf<'round' | 'square'>();
    expectTypeOf(options.poolSize).toEqualTypeOf<number>();
    expectTypeOf(options.poolTimeout).toEqualTypeOf<number | null>();
    expectTypeOf(options.pause).toEqualTypeOf<number | null>();
    expectTypeOf(options.tag).toEqualTypeOf<readonly string[]>();
    expectTypeOf(options.strict).toEqualTypeOf<boolean>();
    expectTypeOf(options.color).toEqualTypeOf<'always' | 'never' | 'auto'>();
    expectTypeOf(options.output).toEqualTypeOf<string | null>();
  });

  it('is the last of several, unless it is a list', async () => {
    const { context } = await draw(['--pool-size', '1', '--pool-size', '2'], testIo());
    expect(context?.options.poolSize).toBe(2);
  });

  it('takes a value that looks like an option', async () => {
    const { context } = await draw(['--tag', '-- a comment', '--tag=--pool-size'], testIo());
    expect(context?.options.tag).toEqual(['-- a comment', '--pool-size']);
    expect((await draw(['--tag=--pool-size'], testIo())).context?.options.tag).toEqual(['--pool-size']);
    expect((await draw(['--tag', '--', '--tag', '-x'], testIo())).context?.options.tag).toEqual(['--', '-x']);
  });

  it('is not set by an empty environment variable', async () => {
    const { context } = await draw([], testIo({ env: { DB_POOL_SIZE: '' } }));
    expect(context?.origins.poolSize).toEqual({ kind: 'default' });
  });

  it('is read only where it is taken from: an overridden one may be wrong', async () => {
    const { exitCode } = await draw(['--pool-size', '5'], testIo({ env: { DB_POOL_SIZE: 'many' } }));
    expect(exitCode).toBe(0);
  });

  it('reads a bare number of DB_POOL_TIMEOUT as seconds', async () => {
    const { context } = await draw([], testIo({ env: { DB_POOL_TIMEOUT: '10' } }));
    expect(context?.options.poolTimeout).toBe(10_000);
  });
});

describe('a file of --dotenv', () => {
  it('is loaded only when asked for, and gives way to the environment', async () => {
    await writeFile(join(cwd, '.env'), 'DB_POOL_SIZE=11\nexport DB_POOL_TIMEOUT="2s" # two\n');
    const unasked = await draw([], testIo({ cwd }));
    expect(unasked.context?.options.poolSize).toBe(5);
    const asked = await draw(['--dotenv', '.env'], testIo({ cwd, env: { DB_POOL_SIZE: '12' } }));
    expect(asked.context?.options).toMatchObject({ poolSize: 12, poolTimeout: 2000 });
    expect(asked.context?.origins.poolTimeout).toEqual({
      kind: 'env',
      name: 'DB_POOL_TIMEOUT',
      file: '.env',
    });
  });

  it('must be there', async () => {
    const io = testIo({ cwd });
    expect((await draw(['--dotenv', 'none.env'], io)).exitCode).toBe(2);
    expect(io.err()).toContain('--dotenv: cannot read none.env: there is no such file');
  });

  it('is part of the environment that the command sees', async () => {
    await writeFile(join(cwd, '.env'), 'PGPASSWORD=a\nPGUSER=anna\nPGHOST=db\n');
    const env = { PGHOST: '127.0.0.1', PGUSER: '' };
    const { context } = await draw(['--dotenv', '.env'], testIo({ cwd, env }));
    expect(context?.io.env).toEqual({ PGPASSWORD: 'a', PGUSER: 'anna', PGHOST: '127.0.0.1' });
    expect(context?.io.cwd).toBe(cwd);
  });

  it('is named where a value of it is wrong', async () => {
    await writeFile(join(cwd, '.env'), 'DB_POOL_SIZE=many');
    const io = testIo({ cwd });
    await draw(['--dotenv', '.env'], io);
    expect(io.err()).toContain(".env: DB_POOL_SIZE: 'many' is not a whole number");
  });
});

describe('--color', () => {
  const colorOf = async (argv: readonly string[], env: Record<string, string> = {}, isTty = false) => {
    const { context, exitCode } = await draw(argv, testIo({ cwd, env, isTty }));
    return exitCode === 0 ? context?.render.color : exitCode;
  };

  it.each([
    [[], false],
    [['--color'], true],
    [['--color=always'], true],
    [['--color', 'always'], true],
    [['--color', 'never'], false],
    [['--color', 'auto'], false],
    [['--no-color'], false],
    [['--color', '--no-color'], false],
    [['--no-color', '--color'], true],
    [['--color', 'large'], true],
    [['--color=alwys'], 2],
    [['--color='], 2],
    [['--no-color=yes'], 2],
    [['--', '--no-color'], false],
  ])('%j: %s', async (argv, wanted) => {
    expect(await colorOf(argv)).toBe(wanted);
  });

  it('auto is on for a terminal, and off for a file', async () => {
    expect(await colorOf([], {}, true)).toBe(true);
    expect(await colorOf(['--color=never'], {}, true)).toBe(false);
    expect(await colorOf(['--output', 'x.txt'], {}, true)).toBe(false);
    expect(await colorOf(['--output', 'x.txt', '--color'], {}, true)).toBe(true);
  });

  it('is a word or a switch in the config file', async () => {
    for (const [value, wanted] of [
      ['always', true],
      [true, true],
      [false, false],
      ['sometimes', 2],
    ]) {
      await config({ draw: { color: value } });
      expect(await colorOf([])).toBe(wanted);
    }
  });

  it('leaves the next word alone unless it is one of its own', async () => {
    const { context } = await draw(['--color', 'large'], testIo({ cwd }));
    expect(context?.arguments.target).toBe('large');
  });
});

describe('the config file', () => {
  const complaint = async (argv: string[] = []) => {
    const io = testIo({ cwd });
    const { exitCode } = await draw(argv, io);
    expect(exitCode).toBe(2);
    return io.err();
  };

  it('has values as texts, numbers, switches and arrays', async () => {
    await config({
      draw: { poolSize: 7, poolTimeout: '1m', prePing: false, tag: ['a', 'b'] },
      erase: { any: 1 },
    });
    const { context } = await draw([], testIo({ cwd }));
    expect(context?.options).toMatchObject({
      poolSize: 7,
      poolTimeout: 60_000,
      prePing: false,
      tag: ['a', 'b'],
    });
  });

  it('may be another one', async () => {
    await config({ draw: { poolSize: 7 } });
    await writeFile(join(cwd, 'other.json'), '\uFEFF{ "draw": { "poolSize": 8 } }');
    const { context } = await draw(['--config', 'other.json'], testIo({ cwd }));
    expect(context?.options.poolSize).toBe(8);
  });

  it('must be there if it is named', async () => {
    expect(await complaint(['--config', 'other.json'])).toContain(
      'cannot read the config file other.json: there is no such file',
    );
  });

  it('is told of where it is not JSON', async () => {
    await config('{\n  "draw": {\n    "poolSize": 7 8\n  }\n}');
    expect(await complaint()).toContain('poolctl.config.json:3:19: not valid JSON');
  });

  it.each([
    [[], 'an object with one section per command is expected'],
    [{ draw: 5 }, 'draw is not an object'],
    [{ drew: {} }, "there is no command 'drew'\n  hint: did you mean draw?"],
    [{ draw: { poolsize: 5 } }, 'draw.poolsize: unknown option\n  hint: did you mean poolSize?'],
    [{ draw: { 'pool-size': 5 } }, 'draw.pool-size: unknown option\n  hint: did you mean poolSize?'],
    [{ draw: { output: 'x' } }, 'draw.output: only --output can set this'],
    [{ draw: { poolSize: true } }, 'draw.poolSize: a text or a number is expected'],
    [{ draw: { poolSize: null } }, 'draw.poolSize: a text or a number is expected'],
    [{ draw: { prePing: 'yes' } }, 'draw.prePing: true or false is expected'],
    [{ draw: { tag: [1, {}] } }, 'draw.tag: a text, or an array of texts, is expected'],
    [{ draw: { pause: 5 } }, "draw.pause: '5' has no unit"],
    [{ draw: { shape: 'squar' } }, "draw.shape: 'squar' is not one of round, square; did you mean square?"],
  ])('is told of what is wrong in %j', async (content, message) => {
    await config(content);
    expect(await complaint()).toContain(message);
  });
});

describe('--print-config', () => {
  it('shows each value and where it came from, and runs nothing', async () => {
    await config({ draw: { tag: ['postgres://anna:s3cret@db/x'] } });
    await writeFile(join(cwd, '.env'), 'DB_POOL_TIMEOUT=90');
    const io = testIo({ cwd, env: { DB_POOL_PRE_PING: 'off' } });
    const { exitCode, context } = await draw(['large', '--print-config', '--dotenv', '.env', '--strict'], io);
    expect(exitCode).toBe(0);
    expect(context).toBeNull();
    expect(io.out().split('\n')).toEqual([
      'option       value                            from',
      'shape        round                            default',
      'corners      4                                default',
      'poolSize     100                              profile large',
      'poolTimeout  1m30s                            environment: DB_POOL_TIMEOUT in .env',
      'prePing      off                              environment: DB_POOL_PRE_PING',
      'pause        -                                default',
      'tag          postgres://anna:***@db/x         poolctl.config.json: draw.tag',
      'strict       on                               command line',
      'format       text                             default',
      'output       -                                default',
      'config       poolctl.config.json, if present  default',
      'dotenv       .env                             command line',
      'color        auto                             default',
      'quiet        off                              default',
      'verbose      off                              default',
      '',
    ]);
  });

  it('cuts long values and tells their length, and has them whole in JSON', async () => {
    const long = `${'x'.repeat(20_000)}\ny`;
    const table = testIo({ cwd });
    await draw(['--print-config', '--tag', long], table);
    expect(table.out()).toContain(`tag          ${'x'.repeat(27)}… (20,002 characters)  command line`);
    for (const line of table.out().split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    const whole = testIo({ cwd });
    await draw(['--print-config', '--format', 'json', '--tag', long], whole);
    expect(JSON.parse(whole.out())).toMatchObject({ options: { tag: { value: long } } });
  });

  it('is JSON where that is the format', async () => {
    const io = testIo({ cwd });
    await draw(['--print-config', '-f', 'json', '--pool-size', '3'], io);
    const { schema, options } = JSON.parse(io.out()) as { schema: number; options: Record<string, unknown> };
    expect(schema).toBe(1);
    expect(options.poolSize).toEqual({ value: '3', from: 'flag' });
    expect(options.poolTimeout).toEqual({ value: '30s', from: 'default' });
  });
});
