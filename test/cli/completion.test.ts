import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from '@lydell/node-pty';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import { catalogOf } from '../../src/cli/catalog.js';
import { completionWords } from '../../src/cli/completion/words.js';
import { poolctl } from '../helpers/bin.js';
import { hasProgram } from '../helpers/programs.js';
import { screenOf } from '../helpers/screen.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-completion-'));
  await writeFile(join(folder, 'known.json'), '');
  await mkdir(join(folder, 'knowledge'));
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await poolctl(['completion', shell]);
    expect(code).toBe(0);
    await writeFile(join(folder, `completion.${shell}`), stdout);
  }
});
afterAll(() => rm(folder, { recursive: true }));

/** A command line up to the cursor, and what it may go on with. */
const ROWS: readonly (readonly [line: string, words: readonly string[]])[] = [
  ['poolctl load', ['loadtest']],
  ['poolctl help load', ['loadtest']],
  ['poolctl pgbouncer re', ['reload', 'reconnect', 'resume']],
  ['poolctl loadtest --test-t', ['--test-type']],
  ['poolctl loadtest --test-type ', ['burst', 'concurrent', 'ramp', 'rate']],
  ['poolctl loadtest -f j', ['json', 'junit']],
  ['poolctl loadtest --no-pre', ['--no-pre-ping']],
  ['poolctl audit-leaks --format sa', ['sarif']],
  ['poolctl audit-leaks kno', ['knowledge', 'known.json']],
  ['poolctl audit-leaks --baseline known', ['known.json']],
  ['poolctl audit-leaks --cache-location kno', ['knowledge']],
  ['poolctl pgbouncer show data', ['databases']],
  ['poolctl pgbouncer pause --hol', ['--hold']],
  ['poolctl metrics alerts --max-wait ', []],
  ['poolctl loadtest --test-type=bu', ['burst']],
  ['poolctl nothing ', []],
];

const names = (text: string) =>
  text
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => word.replace(/^--[\w-]+=/, '').replace(/\/$/, ''))
    .sort();
const sorted = (words: readonly string[]) => [...words].sort();

describe('completion', () => {
  it.each(ROWS)('in bash: %s', (line, words) => {
    const script = `source completion.bash
      COMP_WORDS=(${line.trim().replace('=', ' = ')}${line.endsWith(' ') ? " ''" : ''})
      COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
      _poolctl
      echo "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', script], { cwd: folder, encoding: 'utf8' });
    expect([names(stdout), stderr]).toEqual([sorted(words), '']);
  });

  it.runIf(hasProgram('fish', 'completion in fish')).each(ROWS)('in fish: %s', (line, words) => {
    const script = `source completion.fish; complete -C '${line}' | string split \\t -f1`;
    const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', script], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, HOME: folder },
    });
    expect([names(stdout), stderr]).toEqual([sorted(words), '']);
  });

  it.runIf(hasProgram('zsh', 'completion in zsh'))(
    'in zsh, in a terminal',
    async () => {
      const pty = spawn('zsh', ['-f', '-i'], {
        cols: 120,
        rows: 200,
        cwd: folder,
        env: { PATH: process.env.PATH, HOME: folder, TERM: 'xterm', LANG: 'C.UTF-8' },
      });
      let output = '';
      // A prompt after it says that the terminal is zsh's again: before, it would take control characters for its own.
      const seen = (text: string) =>
        new Promise<void>((resolve) => {
          const listener = pty.onData(() => {
            const at = output.indexOf(text);
            if (at < 0 || !output.includes('> ', at)) return;
            listener.dispose();
            resolve();
          });
        });
      pty.onData((text) => {
        output += text;
      });
      const run = async (line: string, at: number) => {
        const done = seen(`end-of-${at}`);
        pty.write(line);
        await done;
      };
      try {
        // What a widget prints shows that the one before it is done.
        await run(
          "autoload -Uz compinit && compinit -u -D && source completion.zsh; mark() { zle -I; print end-o''f-$((++marked)) }; zle -N mark; bindkey '^X' mark; marked=0; PS1='> '; print end-o''f-0\r",
          0,
        );
        for (const [at, [line, words]] of ROWS.entries()) {
          output = '';
          // Ctrl-D lists what is possible; Ctrl-U clears the line.
          await run(`${line}\x04\x18`, at + 1);
          const listed = screenOf(output).join('\n');
          for (const word of words) expect([line, listed]).toEqual([line, expect.stringContaining(word)]);
          if (words.length === 0) expect(listed).not.toMatch(/ -- |known/);
          pty.write('\x15');
        }
      } finally {
        pty.kill();
      }
    },
    60_000,
  );

  it('has every command with every option and value', async () => {
    const words = completionWords(commands, await catalogOf(commands));
    const script = (await poolctl(['completion', 'bash'])).stdout;
    for (const { name, options } of words.commands) {
      expect(options.length).toBeGreaterThan(5);
      for (const { flag, value } of options) {
        expect(script).toContain(`${flag}`);
        if (Array.isArray(value?.completion)) expect(script).toContain(`'${name} ${flag}'`);
      }
    }
  });
});
