import { fileURLToPath } from 'node:url';
import { OWN_FOLDER } from '../base/call-site.js';
import { carriedBy, isOfMapper } from './call-site.js';
import { originalPlace, type Place } from './source-maps.js';

/** A call in a stack, as its user wrote it: source maps are applied. */
export interface Frame {
  /** As V8 prints it: `at checkout (/app/src/shop.ts:8:22)`. */
  readonly text: string;
  /** `file:line:column`. */
  readonly site: string;
  /** The line in it. */
  readonly line: number;
  /** The same for all calls out of one function, and for no other function. */
  readonly fn: string;
  /** The place of the call in the code that runs, before source maps. */
  readonly place: Place;
  /** The start of the calling function in that code; null if V8 does not report it. */
  readonly start: Pick<Place, 'line' | 'column'> | null;
}

/** A call as V8 has it, before source maps. */
interface RawFrame extends Pick<Frame, 'text' | 'fn' | 'start'> {
  readonly place: Place | null;
}

const formatted = new WeakMap<Error, readonly Frame[]>();
/** Maps of some bundlers give paths without a beginning. */
const PACKAGE = /(?:^|[\\/])node_modules[\\/]|^webpack[\\/](?:bootstrap|runtime)\b/;

/**
 * The calls of a captured stack that are the user's own, innermost first; those of packages where there are no others.
 * Empty where there is no stack. Formats a stack once, when it is shown.
 */
export function framesOf(site: Error | null): readonly Frame[] {
  if (site === null) return [];
  let frames = formatted.get(site);
  if (frames === undefined) {
    frames = framesWithin(site);
    formatted.set(site, frames);
  }
  return frames;
}

/** If all of its own calls are in packages, the calls that created it tell more. */
function framesWithin(site: Error): readonly Frame[] {
  const frames = rawFrames(site).flatMap(toFrame);
  const own = frames.filter(isUsers);
  if (own.length > 0) return own;
  const carried = carriedBy(site);
  const further = carried === null ? [] : framesOf(carried);
  if (further.length > 0) return further;
  return isOfMapper(site) ? beyondFirstPackage(frames) : frames;
}

/** The calls before those of the mapper: an application that was installed as a package has all of its calls in packages. */
function beyondFirstPackage(frames: readonly Frame[]): readonly Frame[] {
  const [first] = frames;
  const from = frames.findIndex(
    (frame) => packageOf(frame) !== (first === undefined ? null : packageOf(first)),
  );
  return from < 0 ? frames : frames.slice(from);
}

function packageOf({ site }: Frame): string | null {
  const path = site.replaceAll('\\', '/');
  return (
    /^(?:@[^/]+\/)?[^/]+/.exec(
      path.slice(path.lastIndexOf('/node_modules/') + '/node_modules/'.length),
    )?.[0] ?? null
  );
}

function isUsers({ site }: Frame): boolean {
  return !PACKAGE.test(site);
}

/** Several lines, as in the stack of an error; null where there is no stack. */
export function stackText(frames: readonly Frame[]): string | null {
  return frames.length === 0 ? null : frames.map(({ text }) => text).join('\n');
}

function toFrame({ text, place, ...raw }: RawFrame): Frame[] {
  if (place === null || place.file.startsWith('node:') || place.file.startsWith(OWN_FOLDER)) return [];
  // A package's maps lead to sources that are not there.
  const original = PACKAGE.test(place.file) ? null : originalPlace(place);
  const site = siteOf(original ?? place);
  const shown = original === null ? text : text.replace(/[^\s(]+:\d+:\d+(?=\)?$)/, () => site);
  return [{ ...raw, text: shown, site, line: (original ?? place).line, place }];
}

function siteOf({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`;
}

/**
 * Has V8 format the stack by a function of ours, which sees where each function begins. An application's own function (of
 * source-map-support, say) is asked as well: it knows maps that are in no file.
 */
function rawFrames(site: Error): RawFrame[] {
  const before = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace');
  const users: unknown = before?.value;
  let calls: readonly NodeJS.CallSite[] = [];
  let text: unknown;
  try {
    Error.prepareStackTrace = (error, found) => {
      calls = found;
      return typeof users === 'function'
        ? (users(error, found) as unknown)
        : found.map((call) => `    at ${String(call)}`).join('\n');
    };
    text = site.stack;
  } finally {
    if (before === undefined) Reflect.deleteProperty(Error, 'prepareStackTrace');
    else Object.defineProperty(Error, 'prepareStackTrace', before);
  }
  const lines = typeof text === 'string' ? linesOf(text) : [];
  if (calls.length === 0) return lines.map(fromLine);
  const isMapped = typeof users === 'function' && lines.length === calls.length;
  return calls.map((call, i) =>
    isMapped ? { ...fromLine(lines[i] ?? ''), ...functionOf(call) } : fromCall(call),
  );
}

function linesOf(stack: string): string[] {
  return stack
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('at '));
}

function fromCall(call: NodeJS.CallSite): RawFrame {
  const file = call.getFileName() ?? call.getScriptNameOrSourceURL();
  const [line, column] = [call.getLineNumber(), call.getColumnNumber()];
  const isKnown = typeof file === 'string' && line !== null && column !== null;
  return {
    text: pathsIn(`at ${String(call)}`),
    place: isKnown ? { file: pathOf(file), line, column } : null,
    ...functionOf(call),
  };
}

/** Newer than the types of Node 20. */
interface Enclosed {
  getEnclosingLineNumber?(): number;
  getEnclosingColumnNumber?(): number;
}

function functionOf(call: NodeJS.CallSite): Pick<RawFrame, 'fn' | 'start'> {
  const file = call.getFileName() ?? call.getScriptNameOrSourceURL() ?? '';
  const enclosed = call as Enclosed;
  const [line, column] = [enclosed.getEnclosingLineNumber?.(), enclosed.getEnclosingColumnNumber?.()];
  return line === undefined || column === undefined
    ? { fn: `${file}:${call.getFunctionName() ?? `line ${call.getLineNumber()}`}`, start: null }
    : { fn: `${file}:${line}:${column}`, start: { line, column } };
}

/** The frames of a stack that is text already. */
function fromLine(line: string): RawFrame {
  const text = pathsIn(line);
  const [, name, file, at, column] = /^at (?:async )?(.*?)\(?([^\s(]*):(\d+):(\d+)\)?$/.exec(text) ?? [];
  if (file === undefined) return { text, place: null, fn: text, start: null };
  const place = { file, line: Number(at), column: Number(column) };
  return { text, place, fn: `${file}:${name?.trim() || `line ${at}`}`, start: null };
}

function pathsIn(text: string): string {
  return text.replace(/file:\/\/\/?[^\s)]*?(?=:\d+:\d+\)?$)/, pathOf);
}

function pathOf(file: string): string {
  try {
    return file.startsWith('file:') ? fileURLToPath(file) : file;
  } catch {
    return file;
  }
}
