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
  const [action, quantity, orderType] = [fields.text(), fields.number(), fields.text()];
  const [limitPrice, auxPrice, timeInForce] = [fields.optional(), fields.optional(), fields.optional()];
  const [ocaGroup, account, openClose, origin] = optionals(fields, 4);
  const reference = fields.optional();
  // A client that stops here leaves the rest to the defaults of its library, which transmits.
  const transmit = fields.optionalFlag(true);
  const parentId = fields.unsettable() ?? 0;
  const [, , displaySize, triggerMethod] = optionals(fields, 4);
  const [outsideRth, hidden] = [fields.optionalFlag(false), fields.optionalFlag(false)];
  if (contract.secType === 'BAG') {
    fields.passGroups(8);
    fields.passGroups(1);
    fields.passGroups(2);
  }
  fields.pass(1);
  const [discretionaryAmount, goodAfterTime, goodTillDate] = optionals(fields, 3);
  // The group, method and percentage of an adviser, and its profile.
  fields.pass(version < Since.adviserProfilesGone ? 4 : 3);
  const modelCode = version >= Since.models ? fields.optional() : '';
  fields.pass(3);
  const ocaType = fields.unsettable() ?? 0;
  const [rule80A, , allOrNone, minQuantity, percentOffset] = optionals(fields, 5);
  // eTradeOnly, firmQuoteOnly, nbboPriceCap, auction, three prices, two ranges, the percentage constraints.
  fields.pass(10);
  const [volatility, volatilityType, deltaNeutralType] = optionals(fields, 3);
  fields.pass(deltaNeutralType === '' ? 1 : 9);
  fields.pass(2);
  const [trailStopPrice, trailingPercent] = optionals(fields, 2);
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
  const text = (field: string | undefined) => field ?? '';
  return {
    name: 'placeOrder',
    id,
    contract,
    quantity,
    transmit,
    parentId,
    whatIf,
    terms: {
      ...{
        action: action.toUpperCase(),
        orderType: orderType.toUpperCase(),
        limitPrice,
        auxPrice,
        timeInForce,
      },
      ...{ account: text(account), reference, ocaGroup: text(ocaGroup), ocaType, outsideRth, hidden },
      ...{ openClose: text(openClose), origin: text(origin), displaySize: text(displaySize) },
      ...{ triggerMethod: text(triggerMethod), discretionaryAmount: text(discretionaryAmount) },
      ...{ goodAfterTime: text(goodAfterTime), goodTillDate: text(goodTillDate), modelCode },
      ...{ rule80A: text(rule80A), allOrNone: text(allOrNone), minQuantity: text(minQuantity) },
      ...{ percentOffset: text(percentOffset), volatility: text(volatility) },
      ...{ volatilityType: text(volatilityType), trailStopPrice: text(trailStopPrice) },
      ...{ trailingPercent: text(trailingPercent) },
    },
  };
}

function optionals(fields: FieldReader, count: number): string[] {
  return Array.from({ length: count }, () => fields.optional());
}
