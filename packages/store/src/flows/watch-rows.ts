/** Hours that were looked at, as rows of them are stored: of all, and by who told of them. */
import { FLOW_FORMATS, type FlowFormat, type Watch } from "@bulkhead/model";

interface Hours {
  readonly day: number;
  readonly hours: number;
}

/** `rows` ascending, each day once. `within`: hours of a day that were asked for. Who told of a day written down before anybody kept that is not known. */
export function watchFrom(
  rows: readonly Hours[],
  told: readonly (Hours & { readonly format: string })[],
  within: (day: number, hours: number) => number,
): readonly Watch[] {
  const tellers = Map.groupBy(told, ({ day }) => day);
  return rows.flatMap(({ day, hours }): readonly Watch[] => {
    const own = within(day, hours);
    if (own === 0) return [];
    const by: Partial<Record<FlowFormat, number>> = {};
    for (const { format, hours: mask } of tellers.get(day) ?? []) {
      const known = FLOW_FORMATS.find((one) => one === format);
      const seen = within(day, mask);
      if (known !== undefined && seen !== 0) by[known] = seen;
    }
    return [{ day, hours: own, ...(Object.keys(by).length === 0 ? {} : { by }) }];
  });
}
