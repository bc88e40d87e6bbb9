/**
 * No part of a password comes out of the reader of configuration, whatever the password is and whether or not it was quoted as
 * its form asks. `FUZZ_SEED=123` replays a seed that a failure printed; `FUZZ_RUNS=20` multiplies the number of runs.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { destinationsIn, linesOf, type ConfigurationEntry } from "../src/index.ts";

const SEED = Number(process.env["FUZZ_SEED"] ?? 20_261_120);
const RUNS = 4000 * Number(process.env["FUZZ_RUNS"] ?? 1);

const HOST = "db.example.org";
const PORT = 6543;

/** What breaks the forms, and what looks like a destination of its own. */
const fragment = fc.oneof(
  fc.constantFrom(..."@/:?#,;='\"{}()[]\\ %&.|<>$!~".split("")),
  fc.constantFrom(
    "host=evil",
    "server=evil",
    ";Server=evil,22",
    " host=evil ",
    "@evil:22",
    "@evil:22/",
    "evil:22",
    ",evil:22",
    ",http://evil",
    " http://evil:22/",
    "tcp(evil:22)/",
    "@tcp(evil:22)/",
    "//evil:22/",
    "://",
    "port=22",
    "22",
    "''",
    '""',
    "}}",
  ),
  fc.stringMatching(/^[a-z0-9]{1,6}$/),
);
const password = fc.array(fragment, { minLength: 1, maxLength: 8 }).map((parts) => parts.join(""));

const FORMS: readonly ((secret: string) => ConfigurationEntry)[] = [
  (secret) => ({ name: "DATABASE_URL", value: `postgres://app:${secret}@${HOST}:${PORT}/shop` }),
  (secret) => ({
    name: "DATABASE_URL",
    value: `postgres://app:${encodeURIComponent(secret)}@${HOST}:${PORT}/shop`,
  }),
  (secret) => ({
    name: "DATABASE_URL",
    value: `postgres://${HOST}:${PORT}/shop?password=${secret}`,
  }),
  (secret) => ({ name: "DB_DSN", value: `app:${secret}@tcp(${HOST}:${PORT})/shop` }),
  (secret) => ({ name: "DB_DSN", value: `password=${secret} host=${HOST} port=${PORT} dbname=x` }),
  (secret) => ({
    name: "DB_DSN",
    value: `password='${secret.replaceAll(/['\\]/g, "\\$&")}' host=${HOST} port=${PORT}`,
  }),
  (secret) => ({
    name: "DB_CONNECTION",
    value: `Host=${HOST};Port=${PORT};Password=${secret};X=1`,
  }),
  (secret) => ({
    name: "DB_CONNECTION",
    value: `Server=${HOST},${PORT};Password="${secret.replaceAll('"', '""')}"`,
  }),
  (secret) => ({
    name: "DB_CONNECTION",
    value: `mysql:host=${HOST};port=${PORT};password=${secret}`,
  }),
  (secret) => ({
    name: "JDBC_URL",
    value: `jdbc:postgresql://${HOST}:${PORT}/shop?user=a&password=${secret}`,
  }),
  (secret) => ({ name: "JDBC_URL", value: `jdbc:oracle:thin:app/${secret}@//${HOST}:${PORT}/x` }),
  (secret) => ({ name: "JDBC_URL", value: `jdbc:sqlserver://${HOST}:${PORT};password=${secret}` }),
  (secret) => ({ name: "DB_PASSWORD", value: secret }),
  (secret) => ({ name: "dbPassword", value: `http://${secret}` }),
  (secret) => ({ name: "API_KEY", value: secret }),
];

const SCHEMES = ["postgresql", "mysql", "oracle", "sqlserver", undefined];
const allowed = (entries: readonly ConfigurationEntry[]): boolean =>
  destinationsIn(entries).every(
    ({ host, port, scheme, entry }) =>
      host === HOST &&
      port === PORT &&
      SCHEMES.includes(scheme) &&
      /^(?:[A-Za-z_]+|line 1)$/.test(entry),
  );

/** Empty when it held for all; else the seed and the shrunk counterexample. */
const failureOf = (property: fc.IRawProperty<unknown, false>): string => {
  const details = fc.check(property, { seed: SEED, numRuns: RUNS });
  return details.failed ? (fc.defaultReportMessage(details) ?? "failed") : "";
};

test(`seed ${SEED}: only the true destination, or nothing, comes out of an entry`, () => {
  expect(
    failureOf(
      fc.property(password, fc.constantFrom(...FORMS), (secret, form) => allowed([form(secret)])),
    ),
  ).toBe("");
});

test(`seed ${SEED}: nor out of a line of a file`, () => {
  expect(
    failureOf(
      fc.property(password, fc.constantFrom(...FORMS), fc.boolean(), (secret, form, colon) => {
        const { name, value } = form(secret);
        return allowed(linesOf(`${name}${colon ? ": " : "="}${value}`));
      }),
    ),
  ).toBe("");
});

test("and where the password is plain, the destination does come out", () => {
  const found = FORMS.map((form) => destinationsIn([form("hunter2")])[0]?.host);
  expect(found).toEqual([
    ...Array.from({ length: 12 }, () => HOST),
    undefined,
    undefined,
    undefined,
  ]);
});
