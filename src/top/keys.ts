/** What a key does, wherever no text is being typed. */
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
  /** As `decodeKeys` names them. */
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

const ESC = '\x1b';
const LONGEST_SEQUENCE = 32;

/** What terminals send, after ESC. */
const SEQUENCES: Readonly<Record<string, string>> = {
  '[A': 'up',
  '[B': 'down',
  '[C': 'right',
  '[D': 'left',
  OA: 'up',
  OB: 'down',
  OC: 'right',
  OD: 'left',
  '[H': 'home',
  '[F': 'end',
  OH: 'home',
  OF: 'end',
  '[1~': 'home',
  '[4~': 'end',
  '[7~': 'home',
  '[8~': 'end',
  '[5~': 'pageup',
  '[6~': 'pagedown',
  '[3~': 'delete',
  '[Z': 'shift-tab',
};
const CONTROLS: Readonly<Record<string, string>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\x7f': 'backspace',
  '\b': 'backspace',
  '\x03': 'ctrl-c',
  '\x04': 'ctrl-c',
  '\x15': 'ctrl-u',
};

export interface Decoded {
  readonly keys: readonly string[];
  /** The beginning of a sequence whose end has not come yet: to be put before what comes next. */
  readonly rest: string;
}

/**
 * The keys in what a terminal in raw mode sends: one character each, or a name. An ESC that nothing follows is the
 * Esc key; a sequence that is not known is passed over as a whole.
 */
export function decodeKeys(text: string): Decoded {
  const keys: string[] = [];
  for (let at = 0; at < text.length; ) {
    const rest = text.slice(at);
    if (rest.startsWith(ESC)) {
      const after = rest.slice(ESC.length);
      const [sequence] = /^(?:\[[0-?]*[ -/]*[@-~]|O[ -~])/.exec(after) ?? [];
      if (sequence !== undefined) {
        const name = SEQUENCES[sequence];
        if (name !== undefined) keys.push(name);
        at += ESC.length + sequence.length;
        continue;
      }
      if (/^(?:\[[0-?]*[ -/]*|O)$/.test(after) && after.length < LONGEST_SEQUENCE) return { keys, rest };
      keys.push('escape');
      at += ESC.length;
      continue;
    }
    const char = String.fromCodePoint(rest.codePointAt(0) ?? 0);
    at += char.length;
    const name = CONTROLS[char];
    if (name !== undefined) keys.push(name);
    else if (char >= ' ') keys.push(char);
  }
  return { keys, rest: '' };
}

function view(key: string, at: number, words: string): Binding {
  return { keys: [key], command: { do: 'view', at }, shown: key, words, group: 'Views' };
}
