import { maskSecrets } from '../base/secrets.js';
import { ValueError } from '../base/units.js';
import type { RenderOptions } from '../report/render-options.js';
import { harmless } from '../report/text.js';
import {
  type ArgumentTable,
  allCommands,
  type Command,
  type CommandContext,
  type CommandEntry,
  type CommandGroup,
  type CommandTable,
} from './command.js';
import { commonOptions } from './common-options.js';
import { type ConfigPlace, configSource, readConfigFile } from './config-file.js';
import { readEnvFile } from './env-file.js';
import { type Problem, reportOf, UsageError } from './errors.js';
import { ExitCode } from './exit-codes.js';
import { commandHelp, groupHelp, programHelp } from './help.js';
import type { Io } from './io.js';
import { envSource, type OptionTable, type Origin, type Resolved, resolveOptions } from './options.js';
import { openResultOutput, type ResultOutput } from './output.js';
import { type ParsedLine, parseLine } from './parse.js';
import { configText } from './print-config.js';
import { createProgress } from './progress.js';
import { didYouMean } from './suggest.js';

export interface Program {
  readonly commands: CommandTable;
  /** Asked for only when it is shown. */
  version(): string;
}

/**
 * Runs one command line from beginning to end, writes whatever there is to say, and gives the code to exit with.
 * Never throws: an error is told on stderr.
 */
export async function runMain(program: Program, argv: readonly string[], io: Io): Promise<ExitCode> {
  let command: string | null = null;
  try {
    const first = argv[0];
    if (first === undefined)
      throw new UsageError([{ message: 'no command given', hint: commandsHint(program) }]);
    if (first === '--help' || first === '-h') return await say(io, programHelp(program.commands, io.stdout));
    if (first === '--version' || first === '-V') return await say(io, `${program.version()}\n`);
    const words = first === 'help' ? argv.slice(1) : argv;
    const [name] = words;
    if (name === undefined || name === '--help' || name === '-h') {
      return await say(io, programHelp(program.commands, io.stdout));
    }
    const entry = entryOf(program, name);
    const isGroup = !('load' in entry);
    if (isGroup && (words[1] === undefined ? first === 'help' : /^(--help|-h)$/.test(words[1]))) {
      return await say(io, groupHelp(name, entry, io.stdout));
    }
    const loaded = await (isGroup ? entryInGroup(name, entry, words[1]) : entry).load();
    command = loaded.name;
    return await runCommand(program, loaded, first === 'help' ? ['--help'] : argv.slice(isGroup ? 2 : 1), io);
  } catch (error) {
    const interruption = io.interrupts.interruption();
    const report = reportOf(error, { command, interruption, nodeVersion: io.host.nodeVersion });
    await io.stderr.write(`poolctl: ${report.text}\n`).catch(() => {});
    return report.exitCode;
  }
}

function entryOf({ commands }: Program, name: string): CommandEntry | CommandGroup {
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (entry !== undefined) return entry;
  if (name.startsWith('-')) {
    const meant = didYouMean(name, ['--help', '--version']);
    throw new UsageError([
      { message: `unknown option ${name}`, hint: meant ?? 'options go behind the command' },
    ]);
  }
  const names = Object.keys(commands);
  throw new UsageError([
    {
      message: `there is no command '${name}'`,
      hint: didYouMean(name, [...names, 'help']) ?? commandsHint({ commands }),
    },
  ]);
}

function entryInGroup(group: string, { commands }: CommandGroup, name: string | undefined): CommandEntry {
  const entry = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (entry !== undefined) return entry;
  const names = Object.keys(commands);
  const listed = `its commands are ${names.join(', ')}`;
  throw new UsageError([
    name === undefined
      ? { message: `${group} needs a command behind it`, hint: listed }
      : {
          message: `there is no command '${group} ${name}'`,
          hint: (name.startsWith('-') ? null : didYouMean(name, names)) ?? listed,
        },
  ]);
}

async function runCommand(
  program: Program,
  command: Command,
  argv: readonly string[],
  io: Io,
): Promise<ExitCode> {
  const table: OptionTable = { ...command.options, ...withoutKeysOf(commonOptions, command.options) };
  const line = parseLine(command, table, argv);
  if (line.wantsHelp) return say(io, commandHelp(command, table, io.stdout));
  const problems: Problem[] = [...line.problems];
  const args = readArguments(command.arguments, line.operands, problems);
  const text = (key: string) => line.flags.texts.get(key)?.at(-1) ?? null;
  const config = await readConfigFile(text('config'), configPlace(line, io), problems);
  const section = { command: command.name, commands: Object.keys(allCommands(program.commands)) };
  const sources = [
    line.flags,
    envSource(table, io.env, await readEnvFile(text('envFile'), io.cwd, problems)),
    configSource(config, section, table, problems),
  ];
  const resolved = resolveOptions(
    table,
    sources,
    (options) => command.presetFor?.({ options, arguments: args }) ?? null,
  );
  problems.push(...resolved.problems, ...brokenRules(command, resolved, args));
  if (problems.length > 0) throw new UsageError(problems);
  if (resolved.values.printConfig === true) return say(io, configText(table, resolved));
  const output = await openResultOutput(text('output'), io);
  try {
    return await runResolved(command, { resolved, args, output, io, program });
  } finally {
    await output.close();
  }
}

/** Before the options are known, `--quiet` counts only as a flag. */
function configPlace(line: ParsedLine, io: Io): ConfigPlace {
  return {
    cwd: io.cwd,
    uid: io.user.uid,
    warn(message) {
      if (!line.flags.texts.has('quiet')) io.stderr.tell(`poolctl: ${harmless(message)}\n`);
    },
  };
}

interface Run {
  readonly resolved: Resolved<OptionTable>;
  readonly args: Readonly<Record<string, unknown>>;
  readonly output: ResultOutput;
  readonly io: Io;
  readonly program: Program;
}

async function runResolved(
  command: Command,
  { resolved, args, output, io, program }: Run,
): Promise<ExitCode> {
  const { values, origins } = resolved;
  const quiet = values.quiet === true;
  const progress = createProgress(io.stderr, io.clock, !quiet);
  let interruptedBefore = false;
  const context: CommandContext<OptionTable, ArgumentTable> = {
    io,
    version: program.version(),
    commands: program.commands,
    options: values as CommandContext<OptionTable, ArgumentTable>['options'],
    arguments: args,
    origins,
    render: renderOptions(values, io),
    progress,
    async write(result) {
      progress.clear();
      if (!output.started) interruptedBefore = io.interrupts.interruption() !== null;
      await output.write(result);
    },
    warn(message) {
      if (quiet) return;
      progress.clear();
      io.stderr.tell(`poolctl: ${maskSecrets(message)}\n`);
    },
    log(message) {
      if (quiet || values.verbose !== true) return;
      progress.clear();
      io.stderr.tell(`${maskSecrets(message)}\n`);
    },
  };
  const onStop = () => {
    const byHand = io.interrupts.interruption()?.signal === 'SIGINT' && io.stderr.isTty;
    if (byHand && command.endsByInterrupt !== true) context.warn('stopping; Ctrl-C again gives up at once');
  };
  io.interrupts.stop.addEventListener('abort', onStop, { once: true });
  try {
    const exitCode = await command.run(context);
    const interruption = io.interrupts.interruption();
    // Once the result is out, the verdict stands; an interrupt before makes it a partial one.
    const partial = interruption !== null && (interruptedBefore || !output.started);
    return partial && command.endsByInterrupt !== true ? interruption.exitCode : exitCode;
  } finally {
    io.interrupts.stop.removeEventListener('abort', onStop);
    progress.clear();
  }
}

function readArguments(
  table: ArgumentTable,
  operands: readonly string[],
  problems: Problem[],
): Readonly<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  let rest = operands;
  for (const [name, spec] of Object.entries(table)) {
    const own = spec.variadic ? rest : rest.slice(0, 1);
    rest = rest.slice(own.length);
    values[name] = spec.fallback;
    if (own.length === 0 && spec.required)
      problems.push({ message: `<${name}> is missing: ${spec.summary}`, hint: null });
    if (own.length === 0) continue;
    try {
      values[name] = spec.read(own);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      problems.push({ message: `<${name}>: ${error.message}`, hint: null });
    }
  }
  if (rest.length > 0) {
    const list = rest.map((one) => `'${one}'`).join(', ');
    problems.push({
      message: `unexpected ${rest.length === 1 ? 'argument' : 'arguments'} ${list}`,
      hint: null,
    });
  }
  return values;
}

function brokenRules(
  { rules = [] }: Command,
  { values, origins, unreadable }: Resolved<OptionTable>,
  args: Readonly<Record<string, unknown>>,
): Problem[] {
  const hasFlag = (key: string) => origins[key]?.kind === 'flag';
  const facts = {
    options: values,
    arguments: args,
    origins: origins as Readonly<Record<string, Origin>>,
    hasFlag,
  };
  return rules
    .filter((rule) => !rule.of.some((key) => unreadable.has(key)))
    .map((rule) => rule.check(facts))
    .filter((complaint) => complaint !== null)
    .map((message) => ({ message, hint: null }));
}

function renderOptions(values: Readonly<Record<string, unknown>>, io: Io): RenderOptions {
  const toFile = typeof values.output === 'string' && values.output !== '-';
  return {
    color: typeof values.color === 'boolean' ? values.color : !toFile && io.stdout.color,
    unicode: io.stdout.unicode,
    width: toFile ? 80 : io.stdout.columns,
    cwd: io.cwd,
  };
}

function withoutKeysOf(table: OptionTable, other: OptionTable): OptionTable {
  return Object.fromEntries(Object.entries(table).filter(([key]) => !(key in other)));
}

function commandsHint({ commands }: Pick<Program, 'commands'>): string {
  return `commands are ${Object.keys(commands).join(', ')}`;
}

async function say(io: Io, text: string): Promise<ExitCode> {
  await io.stdout.write(text);
  return ExitCode.Ok;
}
