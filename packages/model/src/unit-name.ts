/**
 * Units as people shorten them: `nginx` for `host/nginx.service`, and `postgresql` for `host/postgresql-15-main.service`, which
 * says itself, by its label `app`, that it is one.
 */
import type { Labels } from "./labels.ts";

const UNIT = /^(?<namespace>[^/]*)\/(?<stem>.+)\.(?:service|scope)$/;

/** `id` is `namespace/name`. A unit's whole name is no short one. */
export const isShortFor = (typed: string, id: string, labels: Labels = {}): boolean => {
  const { namespace = "", stem } = UNIT.exec(id)?.groups ?? {};
  if (stem === undefined) return false;
  const short = [stem, ...(labels["app"] === undefined ? [] : [labels["app"]])];
  return short.some((name) => typed === name || typed === `${namespace}/${name}`);
};
