import type { CodeSubject } from './code-types.js';
import {
  type AccountValue,
  type Bar,
  type Contract,
  type ContractDetails,
  contractKey,
  describeContract,
  type HistoryQuery,
  type Position,
} from './contracts.js';
import { IbError } from './errors.js';
import type { HistoryFacts } from './history-log.js';
import type { Question } from './requests.js';

/** How long most answers may take, unless the caller says otherwise. */
export const ANSWER_MS = 10_000;
const HISTORY_MS = 60_000;

/** The requests, one function each: how they are sent, and how their answers are put together. */
export function currentTime(): Question<number> {
  return CURRENT_TIME;
}

export function contractDetails(contract: Contract): Question<ContractDetails[]> {
  return {
    ...read(`contract details of ${describeContract(contract)}`, 'contract'),
    send: (id) => ['reqContractDetails', [id, contract]],
    answer() {
      const all: ContractDetails[] = [];
      const take = ([, details]: readonly unknown[]): null => {
        all.push(toDetails(details as Readonly<Record<string, unknown>>));
        return null;
      };
      return {
        events: {
          contractDetails: take,
          bondContractDetails: take,
          contractDetailsEnd: () => ({ value: all }),
        },
      };
    },
  };
}

export function history(query: HistoryQuery): Question<Bar[]> {
  const { contract, end, duration, barSize, whatToShow = 'TRADES', regularHoursOnly = true } = query;
  return {
    ...read(`history of ${describeContract(contract)}`, 'history'),
    timeoutMs: HISTORY_MS,
    paced: { kind: 'history', history: historyFacts(query) },
    send: (id) => [
      'reqHistoricalData',
      // Times as text; no updates.
      [id, contract, end ?? '', duration, barSize, whatToShow, regularHoursOnly ? 1 : 0, 1, false],
    ],
    cancel: (id) => ['cancelHistoricalData', [id]],
    answer() {
      const bars: Bar[] = [];
      return {
        events: {
          historicalData([, time, open, high, low, close, volume, count, wap]) {
            // The library ends an answer with a bar that is none.
            if (String(time).startsWith('finished')) return { value: bars };
            bars.push({
              time: String(time),
              open: Number(open),
              high: Number(high),
              low: Number(low),
              close: Number(close),
              volume: Number(volume),
              wap: Number(wap),
              count: Number(count),
            });
            return null;
          },
        },
      };
    },
  };
}

/** Describes a request for history to IB's rules: `historical_limitations` of the TWS API's documentation. */
export function historyFacts({
  contract,
  barSize,
  duration,
  end,
  whatToShow = 'TRADES',
  regularHoursOnly = true,
}: HistoryQuery): HistoryFacts {
  const key = contractKey(contract);
  const [, count, unit] = /^\s*(\d+)\s*(sec)/i.exec(barSize) ?? [];
  return {
    identity: JSON.stringify([key, barSize, duration, end ?? '', whatToShow, regularHoursOnly]),
    series: JSON.stringify([key, whatToShow]),
    weight: whatToShow === 'BID_ASK' ? 2 : 1,
    smallBars: unit !== undefined && Number(count) <= 30,
  };
}

export function positions(): Question<Position[]> {
  return {
    ...read('positions', 'account'),
    anonymous: true,
    send: () => ['reqPositions', []],
    // The gateway goes on to tell of every change.
    cancel: () => ['cancelPositions', []],
    finish: () => ['cancelPositions', []],
    answer() {
      const all: Position[] = [];
      return {
        events: {
          position([account, contract, quantity, averageCost]) {
            all.push({
              account: String(account),
              contract: contract as Contract,
              quantity: Number(quantity),
              averageCost: Number(averageCost),
            });
            return null;
          },
          positionEnd: () => ({ value: all }),
        },
      };
    },
  };
}

export function accountValues(account: string): Question<AccountValue[]> {
  const stop = (): readonly [string, readonly unknown[]] => ['reqAccountUpdates', [false, account]];
  return {
    ...read(`account values of ${account}`, 'account'),
    anonymous: true,
    send: () => ['reqAccountUpdates', [true, account]],
    cancel: stop,
    finish: stop,
    answer() {
      const all: AccountValue[] = [];
      const others = new Set<string>();
      return {
        events: {
          updateAccountValue([key, value, currency, of]) {
            others.add(String(of));
            if (account !== '' && String(of) !== account) return null;
            all.push({
              key: String(key),
              value: String(value),
              currency: String(currency ?? ''),
              account: String(of),
            });
            return null;
          },
          accountDownloadEnd() {
            // A gateway may go on with the account that another client has asked for: those values are not these.
            if (all.length === 0 && others.size > 0) throw otherAccount(account, [...others]);
            return { value: all };
          },
        },
      };
    },
  };
}

function otherAccount(account: string, others: readonly string[]): IbError {
  const text = `account values of ${account}: the gateway answered for ${others.join(', ')}`;
  const hint =
    'pass one of the accounts that managedAccounts() lists; a gateway serves one account at a time to all clients';
  return new IbError('ERR_IB_ACCOUNT', text, { hint });
}

const TIME_ANSWER = {
  events: { currentTime: ([seconds]: readonly unknown[]) => ({ value: Number(seconds) * 1000 }) },
};
/** Made once: this is what round trips are measured with. */
const CURRENT_TIME: Question<number> = {
  ...read('the current time', 'connection'),
  anonymous: true,
  send: () => ['reqCurrentTime', []],
  answer: () => TIME_ANSWER,
};

/** The fields that most questions have in common. */
export function read(
  name: string,
  subject: CodeSubject,
): Pick<Question<never>, 'name' | 'subject' | 'paced' | 'timeoutMs' | 'cancel'> {
  return { name, subject, paced: { kind: 'request' }, timeoutMs: ANSWER_MS, cancel: null };
}

function toDetails({
  contract,
  marketName,
  longName,
  minTick,
  orderTypes,
  validExchanges,
  timeZoneId,
  tradingHours,
  liquidHours,
  ...rest
}: Readonly<Record<string, unknown>>): ContractDetails {
  const text = (value: unknown): string | null => (value === undefined ? null : String(value));
  return {
    contract: contract as Contract,
    marketName: text(marketName),
    longName: text(longName),
    minTick: minTick === undefined ? null : Number(minTick),
    orderTypes: text(orderTypes),
    validExchanges: text(validExchanges),
    timeZoneId: text(timeZoneId),
    tradingHours: text(tradingHours),
    liquidHours: text(liquidHours),
    rest,
  };
}
