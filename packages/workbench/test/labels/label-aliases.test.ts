/** Which words say the same, and which only look like it. */
import { expect, it } from "vitest";
import { areAliases } from "../../src/labels/label-aliases.ts";

it.each([
  ["production", "prod"],
  ["prd", "Production"],
  ["dev", "development"],
  ["staging", "stg"],
  ["db", "database"],
  ["orders-db", "orders-database"],
  ["orders_db", "orders.database"],
  ["postgres", "postgresql"],
  ["front-end", "frontend"],
  ["front-end", "fe"],
  ["api-gw", "api-gateway"],
  ["chckt", "checkout"],
  ["pymnts", "payments"],
  ["cstmr-service", "customer-svc"],
])("%s and %s", (a, b) => {
  expect([areAliases(a, b), areAliases(b, a)]).toEqual([true, true]);
});

it.each([
  ["prod", "prod"],
  ["store", "storefront"],
  ["web", "webhook"],
  ["auth", "author"],
  ["test", "latest"],
  ["prod", "preprod"],
  ["db-1", "db-2"],
  ["orders-db", "items-database"],
  ["api", "app"],
  ["sql", "mysql"],
  ["v1", "v12"],
  ["", "db"],
])("not %s and %s", (a, b) => {
  expect([areAliases(a, b, "app"), areAliases(b, a, "app")]).toEqual([false, false]);
});

it("beginnings tell in labels of environments alone", () => {
  expect(areAliases("perf", "performance", "acme.io/environment")).toBe(true);
  expect(areAliases("perf", "performance", "app")).toBe(false);
  expect(areAliases("perf", "performance-2", "env")).toBe(false);
});
