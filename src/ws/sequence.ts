import type { Position, Seq, SequenceRule } from './venue.js';

/** The relation of a number to the one before it. */
export type Judged =
  | { readonly kind: 'next' }
  /** It was there already. */
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'hole'; readonly expected: Seq; readonly got: Seq };

const NEXT: Judged = { kind: 'next' };
const DUPLICATE: Judged = { kind: 'duplicate' };

/**
 * Judges a position by the last number. Without a last number everything follows.
 *
 * Rules as venues document them: Binance's depth streams are ranges (`U` to `u`), OKX's order books are links (`prevSeqId`
 * to `seqId`; a smaller number means that the venue began anew), Coinbase increments for each message of a connection.
 */
export function judgeSequence(rule: SequenceRule['rule'], last: Seq | null, at: Position): Judged {
  const { seq } = at;
  if (at.snapshot || last === null || seq === undefined || seq === null) return NEXT;
  switch (rule) {
    case 'increment':
      return inOrder(seq, last, seq);
    case 'range':
      // A stream without ranges is not in the rule.
      return at.from === undefined ? NEXT : inOrder(at.from, last, seq);
    case 'link':
      return at.prev === undefined ? NEXT : linked(at.prev, last, seq);
    case 'rising':
      return seq > last ? NEXT : DUPLICATE;
  }
}

function inOrder(from: Seq, last: Seq, seq: Seq): Judged {
  if (seq <= last) return DUPLICATE;
  const expected = after(last);
  return from <= expected ? NEXT : { kind: 'hole', expected, got: from };
}

function linked(prev: Seq, last: Seq, seq: Seq): Judged {
  if (isSame(prev, last)) return NEXT;
  if (isSame(seq, last)) return DUPLICATE;
  // The venue counts anew.
  if (seq < last && prev < last) return NEXT;
  return { kind: 'hole', expected: last, got: prev };
}

export function after(seq: Seq): Seq {
  return typeof seq === 'bigint' ? seq + 1n : seq + 1;
}

function isSame(a: Seq, b: Seq): boolean {
  return !(a < b) && !(a > b);
}
