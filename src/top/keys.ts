/** The action of a key while no text is being typed. */
export type KeyCommand =
  | { readonly do: 'view'; readonly at: number }
  | { readonly do: 'nextView'; readonly by: 1 | -1 }
  | { readonly do: 'move'; readonly by: number | 'page' | '-page' | 'first' | 'last' }
  | { readonly do: 'sort'; readonly by: 1 | -1 }
  | { readonly do: 'interval'; readonly by: 1 | -1 }
  | {
      readonly do:
        | 'help'
        | 'open'
        | 'back'
        | 'filter'
        | 'reverse'
        | 'group'
        | 'pause'
        | 'cancel'
        | 'terminate'
        | 'quit';
    };

export interface Binding {
  /** As `keyName` names them. */
  readonly keys: readonly string[];
  readonly command: KeyCommand;
  /** How Help and the last line write the keys. */
  readonly shown: string;
  readonly words: string;
  readonly group: 'Views' | 'Moving' | 'Tables' | 'Screen' | 'Backends';
  /** One word for the last line of the screen; without it the key is not shown there. */
  readonly hint?: string;
  /** Only where the screen may act. */
  readonly acts?: boolean;
}

/** All keys there are: the reducer looks them up here, Help and the last line are written from it. */
export const BINDINGS: readonly Binding[] = [
  view('1', 0, 'Pools: how full, who waits, how long'),
  view('2', 1, 'Holders: who holds what, since when, acquired where'),
  view('3', 2, 'Backends: the sessions of the database'),
  view('4', 3, 'Blocking: who waits for whose lock, as a tree'),
  view('5', 4, 'PgBouncer: its pools'),
  view('6', 5, 'Events: what has happened while you looked'),
  view('7', 6, 'Servers: transactions, cache, temporary files, deadlocks'),
  view('8', 7, 'Sizes: the size that each pool needs, from the leases that are recorded'),
  {
    keys: ['tab'],
    command: { do: 'nextView', by: 1 },
    shown: 'Tab',
    words: 'the next view',
    group: 'Views',
  },
  {
    keys: ['shift-tab'],
    command: { do: 'nextView', by: -1 },
    shown: 'Shift-Tab',
    words: 'the view before',
    group: 'Views',
  },
  { keys: ['?', 'h'], command: { do: 'help' }, shown: '?', words: 'this help', group: 'Views', hint: 'help' },
  {
    keys: ['enter'],
    command: { do: 'open' },
    shown: 'Enter',
    words: 'open the row: pool, lease, backend, group',
    group: 'Moving',
    hint: 'open',
  },
  {
    keys: ['escape', 'backspace'],
    command: { do: 'back' },
    shown: 'Esc',
    words: 'back; takes a filter off first',
    group: 'Moving',
    hint: 'back',
  },
  { keys: ['up', 'k'], command: { do: 'move', by: -1 }, shown: 'Up k', words: 'a row up', group: 'Moving' },
  {
    keys: ['down', 'j'],
    command: { do: 'move', by: 1 },
    shown: 'Down j',
    words: 'a row down',
    group: 'Moving',
  },
  {
    keys: ['pageup'],
    command: { do: 'move', by: '-page' },
    shown: 'PgUp',
    words: 'a page up',
    group: 'Moving',
  },
  {
    keys: ['pagedown'],
    command: { do: 'move', by: 'page' },
    shown: 'PgDn',
    words: 'a page down',
    group: 'Moving',
  },
  {
    keys: ['home'],
    command: { do: 'move', by: 'first' },
    shown: 'Home',
    words: 'to the first row',
    group: 'Moving',
  },
  {
    keys: ['end', 'G'],
    command: { do: 'move', by: 'last' },
    shown: 'End G',
    words: 'to the last row',
    group: 'Moving',
  },
  {
    keys: ['/'],
    command: { do: 'filter' },
    shown: '/',
    words: 'keep rows with a text; !text those without',
    group: 'Tables',
    hint: 'filter',
  },
  {
    keys: ['s', 'right', '>'],
    command: { do: 'sort', by: 1 },
    shown: 's Right',
    words: 'sort by the next column',
    group: 'Tables',
    hint: 'sort',
  },
  {
    keys: ['S', 'left', '<'],
    command: { do: 'sort', by: -1 },
    shown: 'S Left',
    words: 'sort by the column before',
    group: 'Tables',
  },
  {
    keys: ['r'],
    command: { do: 'reverse' },
    shown: 'r',
    words: 'sort the other way round',
    group: 'Tables',
    hint: 'reverse',
  },
  {
    keys: ['g'],
    command: { do: 'group' },
    shown: 'g',
    words: 'group holders and backends by application, user, database, site',
    group: 'Tables',
    hint: 'group',
  },
  {
    keys: [' ', 'p'],
    command: { do: 'pause' },
    shown: 'Space p',
    words: 'hold the picture; reading goes on',
    group: 'Screen',
    hint: 'pause',
  },
  {
    keys: ['+', '='],
    command: { do: 'interval', by: 1 },
    shown: '+',
    words: 'read less often',
    group: 'Screen',
  },
  { keys: ['-'], command: { do: 'interval', by: -1 }, shown: '-', words: 'read more often', group: 'Screen' },
  {
    keys: ['q', 'ctrl-c'],
    command: { do: 'quit' },
    shown: 'q',
    words: 'end (Ctrl-C too)',
    group: 'Screen',
    hint: 'quit',
  },
  {
    keys: ['c'],
    command: { do: 'cancel' },
    shown: 'c',
    words: 'cancel the query of the backend, after a question',
    group: 'Backends',
    acts: true,
  },
  {
    keys: ['t'],
    command: { do: 'terminate' },
    shown: 't',
    words: 'end the backend, after a question',
    group: 'Backends',
    acts: true,
  },
];

const BY_KEY = new Map(BINDINGS.flatMap((binding) => binding.keys.map((key) => [key, binding] as const)));

export function bindingOf(key: string): Binding | null {
  return BY_KEY.get(key) ?? null;
}

export const ESC = '\x1b';
const LONGEST_SEQUENCE = 32;

/** The sequences of the bound keys, after ESC. */
const SEQUENCES = new Set('[A [B [C [D OA OB OC OD [H [F OH OF [1~ [4~ [7~ [8~ [5~ [6~ [Z'.split(' '));
/** The Esc key as the kitty protocol sends it, which no following character can change. */
export const ESC_KEY = '\x1b[27u';

export interface SplitInput {
  /** For Ink, one key each. */
  readonly inputs: readonly string[];
  /** The beginning of a sequence whose end has not arrived yet. Put it before the next text, if any follows at once. */
  readonly rest: string;
}

/**
 * Splits the text of a terminal in raw mode into keys, before Ink sees it. Ink 6 hands pasted text to `useInput` as one
 * input, takes Esc and a letter behind it for one key, gives up on a sequence that arrives in two parts, and throws on an
 * unknown sequence with a Ctrl modifier, such as the answer to a cursor request. An unknown sequence is dropped as a whole.
 */
export function splitInput(text: string): SplitInput {
  const inputs: string[] = [];
  for (let at = 0; at < text.length; ) {
    if (text[at] === ESC) {
      const after = text.slice(at + ESC.length, at + LONGEST_SEQUENCE);
      const [sequence] = /^(?:\[[0-?]*[ -/]*[@-~]|O[ -~])/.exec(after) ?? [];
      if (sequence !== undefined) {
        if (SEQUENCES.has(sequence)) inputs.push(ESC + sequence);
        at += ESC.length + sequence.length;
        continue;
      }
      const isCut = at + ESC.length + after.length === text.length && /^(?:\[[0-?]*[ -/]*|O|)$/.test(after);
      if (isCut) return { inputs, rest: text.slice(at) };
      inputs.push(ESC_KEY);
      at += ESC.length;
      continue;
    }
    const char = String.fromCodePoint(text.codePointAt(at) ?? 0);
    at += char.length;
    // Ink calls this one Delete, but it is what the Backspace key sends.
    inputs.push(char === '\x7f' ? '\b' : char);
  }
  return { inputs, rest: '' };
}

/** The keys that Ink names, as `useInput` reports them. */
export type InkKey = Readonly<
  Record<
    | 'upArrow'
    | 'downArrow'
    | 'leftArrow'
    | 'rightArrow'
    | 'pageUp'
    | 'pageDown'
    | 'home'
    | 'end'
    | 'return'
    | 'escape'
    | 'tab'
    | 'backspace'
    | 'shift'
    | 'ctrl',
    boolean
  >
>;

const CONTROLS: Readonly<Record<string, string>> = { c: 'ctrl-c', d: 'ctrl-c', u: 'ctrl-u' };

/** The name of a key that `useInput` reports: a character, or a word such as `up`. null for a key without meaning. */
export function keyName(input: string, key: InkKey): string | null {
  if (key.upArrow) return 'up';
  if (key.downArrow) return 'down';
  if (key.leftArrow) return 'left';
  if (key.rightArrow) return 'right';
  if (key.pageUp) return 'pageup';
  if (key.pageDown) return 'pagedown';
  if (key.home) return 'home';
  if (key.end) return 'end';
  if (key.return || input === '\n') return 'enter';
  if (key.escape) return 'escape';
  if (key.backspace) return 'backspace';
  if (key.tab) return key.shift ? 'shift-tab' : 'tab';
  if (key.ctrl) return CONTROLS[input] ?? null;
  return input >= ' ' && [...input].length === 1 ? input : null;
}

function view(key: string, at: number, words: string): Binding {
  return { keys: [key], command: { do: 'view', at }, shown: key, words, group: 'Views' };
}
