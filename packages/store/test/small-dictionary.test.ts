/** What others' files name cannot make a dictionary that no memory holds. */
import { DuckDBInstance } from "@duckdb/node-api";
import { expect, it } from "vitest";
import { SmallDictionary } from "../src/flows/small-dictionary.ts";

it("beyond its bound gives what is new the number of the plain, and keeps what is known", async () => {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    await connection.run("CREATE TABLE details (id INTEGER, node VARCHAR, cookie VARCHAR)");
    const load = () => SmallDictionary.load(connection, "details", ["node", "cookie"], 3);
    const found = await load();
    const plain = [undefined, undefined] as const;
    const numbers = Array.from({ length: 50 }, (_, at) => found.numberOr(plain, `node-${at}`, ""));
    expect(numbers).toEqual([1, 2, 3, ...Array.from({ length: 47 }, () => 4)]);
    expect(found.numberOr(plain, "node-1", "")).toBe(2);
    await found.write(connection);
    const again = await load();
    expect(again.numberOr(plain, "another", "")).toBe(4);
    expect([...again.entries()]).toHaveLength(4);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
});
