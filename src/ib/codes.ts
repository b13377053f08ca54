import { BUILT_IN } from './code-rules.js';
import type { CodeRule, CodeSubject, CodeVerdict } from './code-types.js';

const ORDERS: ReadonlySet<CodeSubject> = new Set(['order', 'modify', 'cancel', 'what-if']);

/** The codes of a gateway, by number and where needed by text. Rules that are handed in go before the built-in ones. */
export class CodeTable {
  readonly #single = new Map<number, CodeRule[]>();
  readonly #ranges: CodeRule[] = [];

  constructor(extra: readonly CodeRule[] = []) {
    for (const rule of [...extra, ...BUILT_IN]) {
      const { codes } = rule;
      if (typeof codes === 'object' && 'from' in codes) this.#ranges.push(rule);
      else for (const code of typeof codes === 'number' ? [codes] : codes) this.#add(code, rule);
    }
  }

  /** `subjects`: what the message may have been about. Without any, whatever rule comes first is taken. */
  classify(ibCode: number, text: string, subjects: readonly CodeSubject[] = []): CodeVerdict {
    const isAbout = ({ appliesTo = [] }: CodeRule): boolean =>
      appliesTo.length === 0 || subjects.length === 0 || appliesTo.some((one) => subjects.includes(one));
    const fits = (rule: CodeRule): boolean => isAbout(rule) && (rule.text?.test(text) ?? true);
    const rule =
      this.#single.get(ibCode)?.find(fits) ?? this.#ranges.find((one) => includes(one, ibCode) && fits(one));
    const isOrder = subjects.some((subject) => ORDERS.has(subject));
    const error = rule?.error ?? (isOrder ? 'ERR_IB_ORDER_REJECTED' : 'ERR_IB_REQUEST');
    if (rule === undefined) {
      // A text rule fails to the safe side: gateways that are not set to English translate it.
      const isWarning = /^\s*warning:/i.test(text);
      return { class: isWarning ? 'advisory' : 'unknown', appliesTo: [], summary: null, error, hint: null };
    }
    const { appliesTo = [], summary, hint = null } = rule;
    return { class: rule.class, appliesTo, summary, error, hint };
  }

  #add(code: number, rule: CodeRule): void {
    const rules = this.#single.get(code);
    if (rules === undefined) this.#single.set(code, [rule]);
    else rules.push(rule);
  }
}

/** The table as it comes. Pools and connections take further rules by their option `codes`. */
export const defaultCodes = new CodeTable();

function includes({ codes }: CodeRule, ibCode: number): boolean {
  return typeof codes === 'object' && 'from' in codes && ibCode >= codes.from && ibCode <= codes.to;
}
