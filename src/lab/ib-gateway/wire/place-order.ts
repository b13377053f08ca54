import type { OrderTerms } from './model.js';
import type { FieldReader } from './reader.js';
import type { ContractQuery, OrderRequest } from './request-types.js';
import { Since } from './versions.js';

/**
 * Reads an order: some hundred fields, several of which decide how many follow. Everything up to `hidden` is at a fixed
 * place. whatIf comes after blocks of variable length, so that these are walked. Layout: EClient.placeOrder of the
 * vendor's clients, versions 100 to 200.
 */
export function placeOrder(
  fields: FieldReader,
  readContract: (fields: FieldReader) => ContractQuery,
): OrderRequest {
  const { version } = fields;
  if (version < Since.orderContainer) fields.skip(1);
  const id = fields.integer();
  const contract = readContract(fields);
  fields.skip(2);
  const action = fields.text().toUpperCase();
  const quantity = fields.number();
  const orderType = fields.text().toUpperCase();
  const limitPrice = fields.optional();
  const auxPrice = fields.optional();
  const timeInForce = fields.optional();
  const ocaGroup = fields.optional();
  const account = fields.optional();
  const openClose = fields.optional();
  const origin = fields.optional();
  const reference = fields.optional();
  // A client that stops here leaves the rest to the defaults of its library, which transmits.
  const transmit = fields.optionalFlag(true);
  const parentId = fields.unsettable() ?? 0;
  fields.pass(2);
  const displaySize = fields.optional();
  const triggerMethod = fields.optional();
  const outsideRth = fields.optionalFlag(false);
  const hidden = fields.optionalFlag(false);
  if (contract.secType === 'BAG') {
    fields.passGroups(8);
    fields.passGroups(1);
    fields.passGroups(2);
  }
  fields.pass(1);
  const discretionaryAmount = fields.optional();
  const goodAfterTime = fields.optional();
  const goodTillDate = fields.optional();
  // The group, method and percentage of an adviser, and its profile.
  fields.pass(version < Since.adviserProfilesGone ? 4 : 3);
  const modelCode = version >= Since.models ? fields.optional() : '';
  fields.pass(3);
  const ocaType = fields.unsettable() ?? 0;
  const rule80A = fields.optional();
  fields.pass(1);
  const allOrNone = fields.optional();
  const minQuantity = fields.optional();
  const percentOffset = fields.optional();
  // eTradeOnly, firmQuoteOnly, nbboPriceCap, auction, three prices, two ranges, the percentage constraints.
  fields.pass(10);
  const volatility = fields.optional();
  const volatilityType = fields.optional();
  const deltaNeutralType = fields.optional();
  fields.pass(deltaNeutralType === '' ? 1 : 9);
  fields.pass(2);
  const trailStopPrice = fields.optional();
  const trailingPercent = fields.optional();
  fields.pass(2);
  const scaleIncrement = fields.unsettable();
  if (scaleIncrement !== null && scaleIncrement > 0) fields.pass(7);
  fields.pass(3);
  const hedgeType = fields.optional();
  fields.pass(hedgeType === '' ? 4 : 5);
  const isDeltaNeutral = fields.optionalFlag(false);
  if (isDeltaNeutral) fields.pass(3);
  const algorithm = fields.optional();
  if (algorithm !== '') fields.passGroups(2);
  fields.pass(1);
  const whatIf = fields.optionalFlag(false);
  const terms: OrderTerms = {
    action,
    orderType,
    limitPrice,
    auxPrice,
    timeInForce,
    account,
    reference,
    ocaGroup,
    ocaType,
    outsideRth,
    hidden,
    openClose,
    origin,
    displaySize,
    triggerMethod,
    discretionaryAmount,
    goodAfterTime,
    goodTillDate,
    modelCode,
    rule80A,
    allOrNone,
    minQuantity,
    percentOffset,
    volatility,
    volatilityType,
    trailStopPrice,
    trailingPercent,
  };
  return { name: 'placeOrder', id, contract, quantity, transmit, parentId, whatIf, terms };
}
