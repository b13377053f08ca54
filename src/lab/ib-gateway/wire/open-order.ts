import type { Field } from './frames.js';
import type { Margins, Order } from './model.js';
import type { Reply } from './replies.js';
import { Since } from './versions.js';

/**
 * An order with its contract, its terms and, for a what-if, its margins: some hundred fields, most of which are empty
 * unless the order is of a kind that the gateway does not simulate.
 *
 * The layout is that of the vendor's clients. @stoqey/ib 1.6.10 does not look for the model code where a server is older
 * than 145 (it asks the message's version instead of the server's), so that at 103 to 144 it is one field out of step.
 */
export function openOrder(order: Order, version: number): Reply {
  const { instrument, terms, preview } = order;
  const commission = preview?.commission ?? order.commission ?? '';
  const fields: Field[] = [5];
  if (version < Since.orderContainer) fields.push(MESSAGE_VERSION);
  fields.push(order.id, instrument.conId, instrument.symbol, instrument.secType, instrument.expiry);
  fields.push(instrument.strike, instrument.right, instrument.multiplier, instrument.exchange);
  fields.push(instrument.currency, instrument.localSymbol, instrument.tradingClass);
  fields.push(terms.action, order.quantity, terms.orderType, terms.limitPrice, terms.auxPrice);
  fields.push(terms.timeInForce, terms.ocaGroup, terms.account, terms.openClose, terms.origin || 0);
  fields.push(terms.reference, order.clientId, order.permId, terms.outsideRth, terms.hidden);
  fields.push(terms.discretionaryAmount || 0, terms.goodAfterTime, ...ADVISER);
  if (version < Since.adviserProfilesGone) fields.push('');
  if (version >= Since.models) fields.push(terms.modelCode);
  fields.push(terms.goodTillDate, terms.rule80A, terms.percentOffset, ...SHORT_SALE_AND_AUCTION);
  fields.push(terms.displaySize, ...BLOCK, terms.allOrNone || 0, terms.minQuantity, terms.ocaType);
  fields.push(...NO_LONGER_USED, order.parentId, terms.triggerMethod || 0);
  fields.push(terms.volatility, terms.volatilityType || 0, ...DELTA_NEUTRAL_ORDER);
  fields.push(terms.trailStopPrice, terms.trailingPercent, ...COMBINATION_TO_SOLICITED);
  fields.push(preview !== undefined, order.status);
  if (version >= Since.whatIfMargins) {
    pushMargins(fields, preview?.before);
    pushMargins(fields, preview?.change);
  }
  pushMargins(fields, preview?.after);
  fields.push(commission, '', '', commission === '' ? '' : instrument.currency);
  if (version >= Since.fullOrderPreview)
    fields.push(preview === undefined ? '' : instrument.currency, ...FULL_PREVIEW);
  fields.push(...endOf(version, /^PEG ?BENCH$/.test(terms.orderType)));
  return fields;
}

/** Before orders had their container, the message had a version of its own, and this was the last. */
const MESSAGE_VERSION = 34;

const ADVISER = named({ sharesAllocation: '', adviserGroup: '', adviserMethod: '', adviserPercentage: '' });
const SHORT_SALE_AND_AUCTION = [
  ...named({ settlingFirm: '', shortSaleSlot: 0, designatedLocation: '', exemptCode: -1 }),
  ...named({ auctionStrategy: 0, startingPrice: '', stockReferencePrice: '', delta: '' }),
  ...named({ rangeLower: '', rangeUpper: '' }),
];
const BLOCK = named({ blockOrder: 0, sweepToFill: 0 });
const NO_LONGER_USED = named({ eTradeOnly: 0, firmQuoteOnly: 0, nbboPriceCap: '' });
const DELTA_NEUTRAL_ORDER = [
  ...named({ deltaNeutralType: '', deltaNeutralPrice: '' }),
  ...named({ continuousUpdate: 0, referencePriceType: 0 }),
];
const COMBINATION_TO_SOLICITED = [
  ...named({ basisPoints: '', basisPointsType: '', comboLegsText: '', comboLegs: 0, legPrices: 0 }),
  ...named({ routingParams: 0, scaleInitialSize: '', scaleNextSize: '', scaleIncrement: '' }),
  ...named({ hedgeType: '', optOutSmartRouting: 0, clearingAccount: '', clearingIntent: 'IB' }),
  ...named({ notHeld: 0, deltaNeutral: 0, algorithm: '', solicited: 0 }),
];
const FULL_PREVIEW = [...empty(11), ...named({ allocations: 0 })];

/** The fields after the preview are the same for all orders of a version. */
const ENDS = new Map<number, { readonly plain: readonly Field[]; readonly pegged: readonly Field[] }>();

function endOf(version: number, isPegged: boolean): readonly Field[] {
  let ends = ENDS.get(version);
  if (ends === undefined) {
    ends = { plain: makeEnd(version, false), pegged: makeEnd(version, true) };
    ENDS.set(version, ends);
  }
  return isPegged ? ends.pegged : ends.plain;
}

function makeEnd(version: number, isPegged: boolean): readonly Field[] {
  const since = (gate: number, ...fields: readonly Field[]): readonly Field[] =>
    version >= gate ? fields : [];
  return [
    ...named({ warning: '', randomizeSize: 0, randomizePrice: 0 }),
    ...(isPegged ? since(Since.peggedToBenchmark, 0, 0, 0, 0, '') : []),
    ...since(Since.peggedToBenchmark, ...named({ conditions: 0, adjustedType: '', triggerPrice: '' })),
    ...since(Since.peggedToBenchmark, ...named({ stopPrice: '', limitOffset: '', adjustedStop: '' })),
    ...since(Since.peggedToBenchmark, ...named({ adjustedLimit: '', adjustedTrail: '', trailUnit: 0 })),
    ...since(Since.softDollarTier, ...named({ tierName: '', tierValue: '', tierShown: '' })),
    ...since(Since.cashQuantity, ''),
    ...since(Since.autoPriceForHedge, 0),
    ...since(Since.orderContainer, 0),
    ...since(Since.discretionaryPegged, 0),
    ...since(Since.priceManagement, 0),
    ...since(Since.orderDuration, ''),
    ...since(Since.postToAts, ''),
    ...since(Since.autoCancelParent, 0),
    ...since(Since.peggedOffsets, ...empty(5)),
    ...since(Since.customerAccount, ''),
    ...since(Since.professionalCustomer, 0),
    ...since(Since.bondAccruedInterest, ''),
    ...since(Since.includeOvernight, 0),
    ...since(Since.cmeTaggingInOpenOrder, ...named({ extOperator: '', manualIndicator: '' })),
    ...since(Since.submitter, ''),
    ...since(Since.imbalanceOnly, 0),
  ];
}

/** Amounts are decimal texts; they are empty where they were not asked for. */
function pushMargins(fields: Field[], given: Margins | undefined): void {
  if (given === undefined) fields.push('', '', '');
  else fields.push(given.initial.toFixed(2), given.maintenance.toFixed(2), given.equity.toFixed(2));
}

/** Fields in the order in which they are written; the names say what they are. */
function named(fields: Readonly<Record<string, Field>>): readonly Field[] {
  return Object.values(fields);
}

function empty(count: number): readonly Field[] {
  return Array.from({ length: count }, () => '');
}
