import { withoutSystemWords } from '../base/file-fault.js';
import { maskSecrets, maskUrl, registerSecretsIn } from '../base/secrets.js';
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
import { readDotenv, withDotenv } from './dotenv.js';
import { type Problem, reportOf, UsageError } from './errors.js';
import { ExitCode } from './exit-codes.js';
import { commandHelp, groupHelp, programHelp } from './help.js';
import type { Io } from './io.js';
import { envSource, type OptionTable, type Origin, type Resolved, resolveOptions } from './options.js';
import { openResultOutput, type ResultOutput, stdoutOutput } from './output.js';
import type { ParsedLine } from './parse.js';
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
 * Never throws: an error goes to stderr.
 */
export async function runMain(program: Program, argv: readonly string[], io: Io): Promise<ExitCode> {
  let command: string | null = null;
  try {
    const first = argv[0];
    if (first === '--version' || first === '-V') return await say(io, `${program.version()}\n`);
    const words = first === 'help' ? argv.slice(1) : argv;
    const [name] = words;
    // A bare name asks what there is. The help is an answer, not a mistake, as with gh, cargo and docker.
    if (name === undefined || isHelp(name)) return await say(io, programHelp(program.commands, io.stdout));
    const entry = entryOf(program, name);
    const isGroup = !('load' in entry);
    if (isGroup && (words[1] === undefined || isHelp(words[1]))) {
      return await say(io, groupHelp(name, entry, io.stdout));
    }
    const loaded = await (isGroup ? entryInGroup(name, entry, words[1]) : entry).load();
    command = loaded.name;
    const rest = first === 'help' ? ['--help-all'] : argv.slice(isGroup ? 2 : 1);
    return await runCommand(program, loaded, rest, io);
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
      { message: `unknown option ${name}`, hint: meant ?? 'put options after the command' },
    ]);
  }
  const hint = commandMeant(name, commands) ?? `commands are ${Object.keys(commands).join(', ')}`;
  throw new UsageError([{ message: `unknown command '${maskUrl(name)}'`, hint }]);
}

/** A command, one of a group by its second word alone, or what can be done with an address. */
function commandMeant(name: string, commands: CommandTable): string | null {
  if (/^[a-z][a-z0-9+.-]*:/i.test(name)) {
    const verbs = ['loadtest', 'doctor', 'top'].filter((verb) => Object.hasOwn(commands, verb));
    return verbs.length === 0 ? null : `put a command before the address: ${verbs.join(', ')}`;
  }
  const meant = didYouMean(name, [...Object.keys(commands), 'help']);
  if (meant !== null) return meant;
  const inGroups = Object.keys(allCommands(commands)).filter((whole) => whole.includes(' '));
  const seconds = inGroups.filter((whole) => whole.split(' ')[1] === name);
  return seconds.length > 0 ? `did you mean ${seconds.join(' or ')}?` : didYouMean(name, inGroups);
}

function entryInGroup(group: string, { commands }: CommandGroup, name = ''): CommandEntry {
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (entry !== undefined) return entry;
  const names = Object.keys(commands);
  const listed = `its commands are ${names.join(', ')}`;
  if (name.startsWith('-'))
    throw new UsageError([{ message: `${group} needs a command before ${name}`, hint: listed }]);
  throw new UsageError([
    { message: `unknown command '${group} ${maskUrl(name)}'`, hint: didYouMean(name, names) ?? listed },
  ]);
}

function isHelp(word: string): boolean {
  return word === '--help' || word === '-h' || word === '--help-all';
}

async function runCommand(
  program: Program,
  command: Command,
  argv: readonly string[],
  outerIo: Io,
): Promise<ExitCode> {
  // poolctl's own help and version need no parser.
  const { parseLine } = await import('./parse.js');
  const table: OptionTable = { ...command.options, ...withoutKeysOf(commonOptions, command.options) };
  const line = parseLine(command, table, argv);
  if (line.wantsHelp !== null) {
    return say(outerIo, commandHelp(command, table, { output: outerIo.stdout, extent: line.wantsHelp }));
  }
  const problems: Problem[] = [...line.problems];
  const args = readArguments(command.arguments, line, problems);
  const text = (key: string) => line.flags.texts.get(key)?.at(-1) ?? null;
  const dotenv = await readDotenv(text('dotenv'), outerIo.cwd, problems);
  const config = await readConfigFile(text('config'), configPlace(line, outerIo), problems);
  const section = { command: command.name, commands: Object.keys(allCommands(program.commands)) };
  rememberSecrets(argv, { ...dotenv?.values, ...outerIo.env }, config?.content ?? null);
  const sources = [
    line.flags,
    envSource(table, outerIo.env, dotenv),
    configSource(config, section, table, problems),
  ];
  const resolved = resolveOptions(
    table,
    sources,
    (options) => command.presetFor?.({ options, arguments: args }) ?? null,
  );
  problems.push(...resolved.problems, ...brokenRules(command, resolved, args));
  if (problems.length > 0) throw new UsageError(problems);
  const io = withEnv(outerIo, withDotenv(outerIo.env, dotenv));
  if (resolved.values.printConfig === true) return say(io, configText(table, resolved, io.stdout));
  const output = await openResultOutput(text('output'), io);
  try {
    return await runResolved(command, { resolved, args, argv, output, io, program });
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

/** The shell's names for folders, which elsewhere stand for passwords: every message with a path would be masked. */
const FOLDERS: ReadonlySet<string> = new Set(['PWD', 'OLDPWD']);

/**
 * Registers all secrets that this run was given, so that no output shows one, even if a server quotes it. A password that is also
 * a name in the open stays visible.
 */
function rememberSecrets(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  config: unknown,
): void {
  const names = [env.PGUSER, env.PGDATABASE, env.PGHOST, env.USER];
  for (const text of argv) registerSecretsIn(text, names);
  for (const [name, text] of Object.entries(env)) {
    if (text && !FOLDERS.has(name)) registerSecretsIn(`${name}=${text}`, names);
    if (text?.includes('://')) registerSecretsIn(text, names);
  }
  // A configuration that is a program may hold anything, circles included.
  const visited = new Set<unknown>();
  const visit = (key: string, value: unknown): void => {
    if (visited.has(value) || visited.size > 10_000) return;
    if (typeof value === 'string') {
      registerSecretsIn(value, names);
      registerSecretsIn(`${key}=${JSON.stringify(value)}`, names);
    } else if (typeof value === 'object' && value !== null) {
      visited.add(value);
      for (const [name, one] of Object.entries(value)) visit(name, one);
    }
  };
  visit('', config);
}

interface Run {
  readonly resolved: Resolved<OptionTable>;
  readonly args: Readonly<Record<string, unknown>>;
  readonly argv: readonly string[];
  readonly output: ResultOutput;
  readonly io: Io;
  readonly program: Program;
}

async function runResolved(
  command: Command,
  { resolved, args, argv, output, io, program }: Run,
): Promise<ExitCode> {
  const { values, origins, texts } = resolved;
  const quiet = values.quiet === true;
  const progress = createProgress(io.stderr, io.clock, !quiet);
  let interruptedBefore = false;
  const context: CommandContext<OptionTable, ArgumentTable> = {
    io,
    argv,
    version: program.version(),
    commands: program.commands,
    options: values as CommandContext<OptionTable, ArgumentTable>['options'],
    arguments: args,
    origins,
    texts,
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
      io.stderr.tell(`poolctl: ${withoutSystemWords(maskSecrets(message))}\n`);
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
  { operands, isIncomplete }: { readonly operands: readonly string[]; readonly isIncomplete: boolean },
  problems: Problem[],
): Readonly<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  let rest = operands;
  for (const [name, spec] of Object.entries(table)) {
    const own = spec.variadic ? rest : rest.slice(0, 1);
    rest = rest.slice(own.length);
    values[name] = spec.fallback;
    if (own.length === 0 && spec.required && !isIncomplete)
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
    color: values.color === 'always' || (values.color !== 'never' && !toFile && io.stdout.color),
    unicode: io.stdout.unicode,
    width: toFile ? 80 : io.stdout.columns,
    cwd: io.cwd,
  };
}

function withoutKeysOf(table: OptionTable, other: OptionTable): OptionTable {
  return Object.fromEntries(Object.entries(table).filter(([key]) => !(key in other)));
}

/** The same Io with another environment. Its getters stay getters. */
function withEnv(io: Io, env: Io['env']): Io {
  return Object.create(io, { env: { value: env, enumerable: true } });
}

async function say(io: Io, text: string): Promise<ExitCode> {
  await stdoutOutput(io).write(text);
  return ExitCode.Ok;
}
