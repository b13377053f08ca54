/** The options of a Node process that decide whether, and where, its inspector opens. */
export interface InspectorFlags {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** `--disable-sigusr1`, or one of the permission model, which keeps the inspector shut; null: neither. */
  readonly shutBy: string | null;
  /** `--inspect` and the like: it is open from the start. */
  readonly isOpen: boolean;
}

/** Node's own. */
const HOST = '127.0.0.1';
const PORT = 9229;
/** Options whose value may be the next word. */
const WITH_VALUE = new Set([
  ...['-r', '--require', '--import', '--loader', '--experimental-loader', '-C', '--conditions', '--env-file'],
  ...['--env-file-if-exists', '--title', '--inspect-port', '--debug-port', '--input-type', '--watch-path'],
  ...['--icu-data-dir', '--openssl-config', '--max-http-header-size', '--stack-trace-limit'],
]);

/** Reads the words of a command line, and NODE_OPTIONS, as Node does: what comes later, on the line, counts. */
export function inspectorFlags(commandLine: readonly string[], nodeOptions: string): InspectorFlags {
  let [host, port, shutBy, isOpen] = [HOST, PORT, null as string | null, false];
  for (const [name, value] of [...optionsIn(wordsOf(nodeOptions)), ...optionsIn(commandLine.slice(1))]) {
    switch (name) {
      case '--inspect':
      case '--inspect-brk':
      case '--inspect-wait':
        isOpen = true;
        break;
      case '--inspect-port':
      case '--debug-port':
        break;
      case '--disable-sigusr1':
      case '--permission':
      case '--experimental-permission':
        shutBy = name;
        continue;
      default:
        continue;
    }
    const place = value === null ? null : placeIn(value);
    host = place?.host ?? host;
    port = place?.port ?? port;
  }
  return { host, port, shutBy, isOpen };
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** Up to the script: the words after it are the program's own. */
function optionsIn(words: readonly string[]): (readonly [name: string, value: string | null])[] {
  const options: (readonly [string, string | null])[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    if (!word.startsWith('-') || word === '-' || word === '--') break;
    const [, name = word, value = null] = /^(--[\w-]+)=(.*)$/s.exec(word) ?? [];
    // Node takes _ for -.
    const plain = name.startsWith('--') ? name.replaceAll('_', '-') : name;
    const isNext = value === null && WITH_VALUE.has(plain);
    options.push([plain, isNext ? (words[at + 1] ?? null) : value]);
    if (isNext) at++;
    if (/^(?:-e|-p|-pe|--eval|--print)$/.test(plain)) break;
  }
  return options;
}

function placeIn(text: string): { host: string | null; port: number | null } {
  const [, inBrackets, plain, digits] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(text) ?? [];
  if (inBrackets === undefined && digits === undefined && /^\d+$/.test(plain ?? ''))
    return { host: null, port: Number(plain) };
  return { host: inBrackets ?? (plain || null), port: digits === undefined ? null : Number(digits) };
}

/** NODE_OPTIONS: words between blanks, and in double quotes. */
function wordsOf(text: string): string[] {
  const words = text.match(/(?:"(?:\\.|[^"\\])*"|[^\s"])+/g) ?? [];
  return words.map((word) =>
    word.replace(/"((?:\\.|[^"\\])*)"/g, (_, inner: string) => inner.replace(/\\(.)/g, '$1')),
  );
}
