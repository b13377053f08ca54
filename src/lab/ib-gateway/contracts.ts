import type { Instrument, TradingDays } from './wire/model.js';
import type { ContractQuery } from './wire/request-types.js';

/** The common properties of instruments of one kind. Contracts of other kinds are unknown. */
interface Kind {
  readonly symbols: RegExp;
  readonly exchange: string;
  readonly multiplier: string;
  readonly minTick: number;
  readonly sizeStep: number;
  readonly trading: TradingDays;
  readonly expires?: true;
  readonly isOption?: true;
}

const STOCK = { multiplier: '', minTick: 0.01, sizeStep: 1, trading: 'stock' } as const;
const KINDS: Readonly<Record<string, Kind>> = {
  STK: { ...STOCK, symbols: /^[A-Z0-9]{1,5}(?:[ .][A-Z]{1,2})?$/, exchange: 'SMART' },
  CFD: { ...STOCK, symbols: /^[A-Z0-9]{1,6}$/, exchange: 'SMART' },
  IND: { ...STOCK, symbols: /^[A-Z0-9]{1,6}$/, exchange: 'CBOE' },
  CASH: { ...STOCK, symbols: /^[A-Z]{3}$/, exchange: 'IDEALPRO', minTick: 0.00005, trading: 'weekdays' },
  CRYPTO: {
    ...{ symbols: /^(BTC|ETH|LTC|BCH|SOL)$/, exchange: 'PAXOS', multiplier: '' },
    ...{ minTick: 0.25, sizeStep: 0.0001, trading: 'always' as const },
  },
  CMDTY: { ...STOCK, symbols: /^XA[UG]USD$/, exchange: 'SMART', trading: 'weekdays' },
  FUT: {
    ...{ symbols: /^[A-Z0-9]{1,6}$/, exchange: 'CME', multiplier: '50' },
    ...{ minTick: 0.25, sizeStep: 1, trading: 'weekdays' as const, expires: true },
  },
  OPT: {
    ...STOCK,
    symbols: /^[A-Z0-9]{1,5}$/,
    exchange: 'SMART',
    multiplier: '100',
    expires: true,
    isOption: true,
  },
  FOP: {
    ...{ symbols: /^[A-Z0-9]{1,6}$/, exchange: 'CME', multiplier: '50', minTick: 0.25, sizeStep: 1 },
    ...{ trading: 'weekdays' as const, expires: true, isOption: true },
  },
};

/** Instruments that many examples use: number, exchange, name, approximate price. */
const KNOWN: Readonly<
  Record<string, readonly [conId: number, exchange: string, name: string, price: number]>
> = {
  'STK AAPL': [265598, 'NASDAQ', 'APPLE INC', 230],
  'STK MSFT': [272093, 'NASDAQ', 'MICROSOFT CORP', 420],
  'STK AMZN': [3691937, 'NASDAQ', 'AMAZON.COM INC', 190],
  'STK GOOGL': [208813719, 'NASDAQ', 'ALPHABET INC-CL A', 180],
  'STK INTC': [270639, 'NASDAQ', 'INTEL CORP', 25],
  'STK AMD': [4391, 'NASDAQ', 'ADVANCED MICRO DEVICES', 140],
  'STK NVDA': [4815747, 'NASDAQ', 'NVIDIA CORP', 130],
  'STK TSLA': [76792991, 'NASDAQ', 'TESLA INC', 250],
  'STK QQQ': [320227571, 'NASDAQ', 'INVESCO QQQ TRUST SERIES 1', 490],
  'STK IBM': [8314, 'NYSE', 'INTL BUSINESS MACHINES CORP', 220],
  'STK GE': [7516, 'NYSE', 'GENERAL ELECTRIC CO', 180],
  'STK BAC': [10098, 'NYSE', 'BANK OF AMERICA CORP', 45],
  'STK F': [9599491, 'NYSE', 'FORD MOTOR CO', 11],
  'STK JPM': [1520593, 'NYSE', 'JPMORGAN CHASE & CO', 230],
  'STK SPY': [756733, 'ARCA', 'SPDR S&P 500 ETF TRUST', 590],
  'STK IWM': [9579970, 'ARCA', 'ISHARES RUSSELL 2000 ETF', 225],
  'IND SPX': [416904, 'CBOE', 'S&P 500 STOCK INDEX', 5900],
  'IND VIX': [13455763, 'CBOE', 'CBOE VOLATILITY INDEX', 16],
  'IND NDX': [416843, 'NASDAQ', 'NASDAQ 100 STOCK INDEX', 20_500],
  'IND DAX': [825711, 'EUREX', 'DAX 40 INDEX (DEUTSCHE AKTIEN XETRA)', 19_500],
  'CRYPTO BTC': [479624278, 'PAXOS', 'BITCOIN CRYPTOCURRENCY', 95_000],
  'CRYPTO ETH': [495759171, 'PAXOS', 'ETHEREUM CRYPTOCURRENCY', 3500],
  'CMDTY XAUUSD': [69067924, 'IBMETAL', 'LONDON GOLD', 2650],
};
/** A Map, since most symbols that are looked up are not there. */
const KNOWN_BY_KEY = new Map(Object.entries(KNOWN));
/** The exchanges of futures, with multiplier, least price step and approximate price. */
const FUTURES: Readonly<
  Record<string, readonly [exchange: string, multiplier: string, tick: number, price: number]>
> = {
  ES: ['CME', '50', 0.25, 5900],
  MES: ['CME', '5', 0.25, 5900],
  NQ: ['CME', '20', 0.25, 20_500],
  MNQ: ['CME', '2', 0.25, 20_500],
  RTY: ['CME', '50', 0.1, 2250],
  YM: ['CBOT', '5', 1, 43_500],
  ZN: ['CBOT', '1000', 0.015625, 110],
  CL: ['NYMEX', '1000', 0.01, 70],
  NG: ['NYMEX', '10000', 0.001, 3],
  GC: ['COMEX', '100', 0.1, 2650],
  VIX: ['CFE', '1000', 0.05, 17],
  DAX: ['EUREX', '25', 1, 19_500],
  ESTX50: ['EUREX', '10', 1, 4900],
};
/** The approximate worth of a unit of each currency in US dollars. */
const CURRENCIES: Readonly<Record<string, number>> = {
  ...{ USD: 1, EUR: 1.08, GBP: 1.27, CHF: 1.13, JPY: 0.0067, AUD: 0.65, NZD: 0.6, CAD: 0.72, SEK: 0.093 },
  ...{ NOK: 0.091, DKK: 0.145, HKD: 0.128, SGD: 0.74, CNH: 0.138, MXN: 0.05, PLN: 0.25, ZAR: 0.055 },
  ...{ CZK: 0.043, HUF: 0.0027, ILS: 0.27, KRW: 0.00072, INR: 0.0119, TRY: 0.029 },
};
/** In which currency stocks are quoted outside of the United States. */
const EXCHANGE_CURRENCIES: Readonly<Record<string, string>> = {
  ...{ IBIS: 'EUR', IBIS2: 'EUR', FWB: 'EUR', AEB: 'EUR', SBF: 'EUR', BVME: 'EUR', BM: 'EUR', EUREX: 'EUR' },
  ...{ LSE: 'GBP', LSEETF: 'GBP', EBS: 'CHF', TSE: 'CAD', VENTURE: 'CAD', TSEJ: 'JPY', SEHK: 'HKD' },
  ...{ ASX: 'AUD', SGX: 'SGD', SFB: 'SEK', OSE: 'NOK', CPH: 'DKK' },
};
const MONTH_CODES = 'FGHJKMNQUVXZ';
const QUARTERS = [2, 5, 8, 11];
const STRIKES_EACH_SIDE = 11;
const EXPIRIES = 4;

/** All contracts that fit a description; empty for an unknown one. More than one is ambiguous for most requests. */
export function contractsFor(given: ContractQuery, nowMs: number): Instrument[] {
  const query = named(given);
  const isContinuous = query.secType === 'CONTFUT';
  const secType = isContinuous ? 'FUT' : query.secType;
  const kind = KINDS[secType];
  if (kind === undefined || !kind.symbols.test(query.symbol)) return [];
  if (kind.expires !== true) {
    const one = unexpiring(secType, kind, query);
    return one === null ? [] : [one];
  }
  const all = expiriesFor(query.expiry, kind.isOption === true, nowMs);
  const expiries = isContinuous ? all.slice(0, 1) : all;
  if (kind.isOption !== true) {
    const futures = expiries.flatMap((expiry) => future(kind, query, expiry) ?? []);
    return isContinuous ? futures.map((front) => ({ ...front, secType: 'CONTFUT' })) : futures;
  }
  return options(secType, kind, query, expiries, nowMs);
}

/** How to describe an instrument that is known by its number; null for any other number. */
export function knownByNumber(conId: number): Pick<ContractQuery, 'symbol' | 'secType'> | null {
  const [key] = Object.entries(KNOWN).find(([, [own]]) => own === conId) ?? [];
  const [secType, symbol] = key?.split(' ') ?? [];
  return secType === undefined || symbol === undefined ? null : { secType, symbol };
}

/** The expirations and strikes of the options on an underlying. */
export function chainOf(underlying: Instrument, nowMs: number): { expirations: string[]; strikes: number[] } {
  return { expirations: nextExpiries(true, nowMs), strikes: strikesAround(underlying.basePrice) };
}

/** Stocks whose symbol or name begins with a text. */
export function matching(pattern: string): string[] {
  const wanted = pattern.trim().toUpperCase();
  if (wanted === '') return [];
  const known = Object.entries(KNOWN).flatMap(([key, [, , name]]) => {
    const [secType, symbol = ''] = key.split(' ');
    return secType === 'STK' && (symbol.startsWith(wanted) || name.startsWith(wanted)) ? [symbol] : [];
  });
  const isSymbol = (KINDS.STK as Kind).symbols.test(wanted);
  return isSymbol && !known.includes(wanted) ? [wanted, ...known] : known;
}

/** Reads a description that has only a local symbol, as clients write it: `EUR.USD`, `ESZ6`, `AAPL  261218C00230000`. */
function named(query: ContractQuery): ContractQuery {
  if (query.symbol !== '' || query.localSymbol === '') return query;
  const local = query.localSymbol;
  if (query.secType === 'CASH' || query.secType === 'CRYPTO') {
    const [symbol = '', currency = ''] = local.split('.');
    return { ...query, symbol, currency };
  }
  if (query.secType === 'FUT') {
    const [, symbol = local, month = '', year = ''] =
      /^([A-Z0-9]+?)([FGHJKMNQUVXZ])(\d{1,2})$/.exec(local) ?? [];
    if (year === '') return { ...query, symbol };
    const number = year.length === 1 ? `202${year}` : `20${year}`;
    return { ...query, symbol, expiry: `${number}${two(MONTH_CODES.indexOf(month) + 1)}` };
  }
  const [, root, date = '', right = '', strike = ''] = /^(\S+) +(\d{6})([CP])(\d{8})$/.exec(local) ?? [];
  if (root === undefined || query.secType !== 'OPT') return { ...query, symbol: local };
  return { ...query, symbol: root, expiry: `20${date}`, right, strike: String(Number(strike) / 1000) };
}

function unexpiring(secType: string, kind: Kind, query: ContractQuery): Instrument | null {
  const { symbol } = query;
  const listing = known(secType, symbol);
  const place = query.primaryExchange || (query.exchange === 'SMART' ? '' : query.exchange);
  const currency = query.currency || (secType === 'CASH' ? 'USD' : (EXCHANGE_CURRENCIES[place] ?? 'USD'));
  if (CURRENCIES[currency] === undefined) return null;
  if (secType === 'CASH') return currencyPair(kind, query, currency);
  const home = homeOf(secType, kind, query, currency);
  if (home === null) return null;
  const [primaryExchange, name] = home;
  const hash = fnv([symbol, secType, currency].join('|'));
  const isOnNasdaq = secType === 'STK' && primaryExchange === 'NASDAQ';
  // Written out: most lookups end here, and a literal is made several times faster than a spread.
  return {
    conId: listing?.[0] ?? conIdOf(hash),
    symbol,
    secType,
    expiry: '',
    strike: 0,
    right: '',
    multiplier: kind.multiplier,
    exchange: query.exchange || kind.exchange,
    primaryExchange,
    currency,
    localSymbol: secType === 'CRYPTO' ? `${symbol}.${currency}` : symbol,
    tradingClass: query.tradingClass || (isOnNasdaq ? 'NMS' : symbol),
    marketName: isOnNasdaq ? 'NMS' : symbol,
    longName: name,
    validExchanges: kind.exchange === 'SMART' ? `SMART,${primaryExchange}` : kind.exchange,
    minTick: kind.minTick,
    sizeStep: kind.sizeStep,
    trading: kind.trading,
    underlying: null,
    basePrice: listing?.[3] ?? 20 + (hash % 48_000) / 100,
  };
}

/** The exchange that lists it, and its name; null if that contradicts the description. */
function homeOf(
  secType: string,
  kind: Kind,
  { symbol, exchange, primaryExchange }: ContractQuery,
  currency: string,
): readonly [exchange: string, name: string] | null {
  const isSame = (one: string, other: string) => one === other || (one === 'ISLAND' && other === 'NASDAQ');
  const listing = known(secType, symbol);
  const native = EXCHANGE_CURRENCIES[primaryExchange] ?? EXCHANGE_CURRENCIES[exchange];
  if (native !== undefined && native !== currency) return null;
  if (listing !== undefined) {
    const [, home, name] = listing;
    const usual = EXCHANGE_CURRENCIES[home] ?? 'USD';
    const isThere = primaryExchange === '' || primaryExchange === 'SMART' || isSame(primaryExchange, home);
    return isThere && currency === usual ? [home, name] : null;
  }
  if (kind.exchange !== 'SMART') return [exchange || kind.exchange, symbol];
  const name = `${symbol} INC`;
  if (primaryExchange !== '' && primaryExchange !== 'SMART')
    return [isSame(primaryExchange, 'NASDAQ') ? 'NASDAQ' : primaryExchange, name];
  if (EXCHANGE_CURRENCIES[exchange] !== undefined) return [exchange, name];
  if (currency === 'USD') return [fnv(symbol) % 2 === 0 ? 'NASDAQ' : 'NYSE', name];
  const abroad = Object.entries(EXCHANGE_CURRENCIES).find(([, own]) => own === currency);
  return abroad === undefined ? null : [abroad[0], name];
}

function currencyPair(kind: Kind, query: ContractQuery, currency: string): Instrument | null {
  const { symbol, exchange } = query;
  const [one, other] = [CURRENCIES[symbol], CURRENCIES[currency]];
  const isTraded = exchange === '' || exchange === 'IDEALPRO' || exchange === 'FXCONV';
  if (one === undefined || other === undefined || symbol === currency || !isTraded) return null;
  const pair = `${symbol}.${currency}`;
  const basePrice = one / other;
  return {
    ...base(kind, query, 'CASH'),
    conId: pair === 'EUR.USD' ? 12087792 : conIdOf(fnv(`${pair}|CASH`)),
    symbol,
    currency,
    primaryExchange: '',
    localSymbol: pair,
    tradingClass: pair,
    marketName: pair,
    longName: `${symbol} in ${currency}`,
    validExchanges: 'IDEALPRO',
    minTick: basePrice > 20 ? 0.005 : kind.minTick,
    basePrice,
  };
}

function future(kind: Kind, query: ContractQuery, expiry: string): Instrument | null {
  const { symbol } = query;
  const listed = FUTURES[symbol];
  const hash = fnv(`${symbol}|FUT`);
  const [home, multiplier, minTick, basePrice] = listed ?? [
    ...([query.exchange || kind.exchange, kind.multiplier, kind.minTick] as const),
    100 + (hash % 40_000) / 10,
  ];
  const currency = query.currency || (EXCHANGE_CURRENCIES[home] ?? 'USD');
  const isElsewhere = listed !== undefined && query.exchange !== '' && query.exchange !== home;
  const isOther = query.multiplier !== '' && Number(query.multiplier) !== Number(multiplier);
  if (isElsewhere || isOther || CURRENCIES[currency] === undefined) return null;
  const month = MONTH_CODES[Number(expiry.slice(4, 6)) - 1] ?? 'Z';
  return {
    ...base(kind, query, 'FUT'),
    conId: conIdOf(fnv([symbol, 'FUT', currency, expiry].join('|'))),
    symbol,
    expiry,
    multiplier,
    currency,
    exchange: query.exchange || home,
    primaryExchange: home,
    localSymbol: `${symbol}${month}${expiry.slice(3, 4)}`,
    tradingClass: query.tradingClass || symbol,
    marketName: symbol,
    longName: `${symbol} FUTURE`,
    validExchanges: home,
    minTick,
    basePrice,
    underlying: { conId: conIdOf(fnv(`${symbol}|IND`)), symbol, secType: 'IND' },
  };
}

function options(
  secType: string,
  kind: Kind,
  query: ContractQuery,
  expiries: readonly string[],
  nowMs: number,
): Instrument[] {
  const { symbol } = query;
  const onFuture = secType === 'FOP';
  const onStock = known('IND', symbol) === undefined ? 'STK' : 'IND';
  const about = { ...query, expiry: '', multiplier: '', tradingClass: '' };
  const [underlying] = contractsFor({ ...about, secType: onFuture ? 'CONTFUT' : onStock }, nowMs);
  if (underlying === undefined) return [];
  const wanted = Number(query.strike) || 0;
  const strikes = wanted > 0 ? [wanted] : strikesAround(underlying.basePrice);
  const right = query.right.slice(0, 1).toUpperCase();
  const rights = right === 'C' || right === 'P' ? [right] : ['C', 'P'];
  const { conId, secType: underSecType } = underlying;
  return expiries.flatMap((expiry) =>
    strikes.flatMap((strike) =>
      rights.map((side): Instrument => {
        const code = `${expiry.slice(2)}${side}${String(Math.round(strike * 1000)).padStart(8, '0')}`;
        const identity = [symbol, secType, underlying.currency, expiry, strike, side].join('|');
        return {
          ...base(kind, query, secType),
          conId: conIdOf(fnv(identity)),
          symbol,
          expiry,
          strike,
          right: side,
          multiplier: onFuture ? underlying.multiplier : kind.multiplier,
          currency: underlying.currency,
          exchange: query.exchange || (onFuture ? underlying.primaryExchange : kind.exchange),
          primaryExchange: '',
          localSymbol: `${symbol.padEnd(6)}${code}`,
          tradingClass: query.tradingClass || symbol,
          marketName: symbol,
          longName: underlying.longName,
          validExchanges: onFuture ? underlying.primaryExchange : 'SMART,CBOE',
          basePrice: optionPrice(underlying.basePrice, strike, side),
          underlying: { conId, symbol, secType: underSecType === 'CONTFUT' ? 'FUT' : underSecType },
        };
      }),
    ),
  );
}

function known(secType: string, symbol: string) {
  return KNOWN_BY_KEY.get(`${secType} ${symbol}`);
}

function base(kind: Kind, query: ContractQuery, secType: string) {
  const { multiplier, minTick, sizeStep, trading } = kind;
  const exchange = query.exchange || kind.exchange;
  return {
    secType,
    multiplier,
    minTick,
    sizeStep,
    trading,
    exchange,
    expiry: '',
    strike: 0,
    right: '',
    underlying: null,
  };
}

/** The dates meant: one given in full as it is, a month by its third Friday, and the next ones if none is given. */
function expiriesFor(given: string, monthly: boolean, nowMs: number): string[] {
  if (/^\d{8}$/.test(given)) return [given];
  if (/^\d{6}$/.test(given)) return [thirdFriday(Number(given.slice(0, 4)), Number(given.slice(4)) - 1)];
  return given === '' ? nextExpiries(monthly, nowMs) : [];
}

function nextExpiries(monthly: boolean, nowMs: number): string[] {
  const now = new Date(nowMs);
  const today = dateText(now);
  const found: string[] = [];
  for (let months = now.getUTCMonth(); found.length < EXPIRIES; months++) {
    if (!monthly && !QUARTERS.includes(months % 12)) continue;
    const date = thirdFriday(now.getUTCFullYear() + Math.floor(months / 12), months % 12);
    if (date >= today) found.push(date);
  }
  return found;
}

function thirdFriday(year: number, month: number): string {
  const first = new Date(Date.UTC(year, month, 1)).getUTCDay();
  return dateText(new Date(Date.UTC(year, month, 15 + ((5 - first + 7) % 7))));
}

function strikesAround(price: number): number[] {
  const step = price < 50 ? 1 : price < 200 ? 2.5 : price < 1000 ? 5 : 25;
  const middle = Math.max(Math.round(price / step), STRIKES_EACH_SIDE + 1);
  const count = 2 * STRIKES_EACH_SIDE + 1;
  return Array.from({ length: count }, (_, at) => (middle - STRIKES_EACH_SIDE + at) * step);
}

/** The intrinsic value, and more the nearer the strike is to the price. */
function optionPrice(price: number, strike: number, right: string): number {
  const intrinsic = Math.max(0, right === 'C' ? price - strike : strike - price);
  return Math.max(0.05, intrinsic + 0.04 * price * Math.exp(-Math.abs(price - strike) / (0.1 * price)));
}

function dateText(date: Date): string {
  return date.toISOString().slice(0, 10).replaceAll('-', '');
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

function conIdOf(hash: number): number {
  return 1_000_000 + (hash % 800_000_000);
}

/** FNV-1a, 32 bits. */
function fnv(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
