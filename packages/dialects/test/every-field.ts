/**
 * Every field of a schema, each with one value, and what reading it must say. A list is that of the project's own documentation;
 * what stands in it and is not read, or is read and does not stand in it, shows.
 */
import { expect, test } from "vitest";
import { parseFiles } from "../src/index.ts";

/**
 * `null` = mapped or ignored without an error; `warned` = without effect, and told; `warned BH0103` = read, and told so; codes,
 * one for each error. In paths `0` is a list's only item; the empty one is the whole object.
 */
export type Field = readonly [path: string, value: unknown, code: string | null];

/** `metav1.ObjectMeta` of Kubernetes 1.34. */
export const META: readonly Field[] = [
  ["metadata.name", "p", null],
  ["metadata.generateName", "p-", null],
  ["metadata.namespace", "shop", null],
  ["metadata.selfLink", "/x", null],
  ["metadata.uid", "1", null],
  ["metadata.resourceVersion", "1", null],
  ["metadata.generation", 1, null],
  ["metadata.creationTimestamp", null, null],
  ["metadata.deletionTimestamp", "2030-01-01T00:00:00Z", null],
  ["metadata.deletionGracePeriodSeconds", 1, null],
  ["metadata.labels", { a: "b" }, null],
  ["metadata.annotations", { a: "b" }, null],
  [
    "metadata.ownerReferences",
    [
      {
        apiVersion: "v1",
        kind: "A",
        name: "b",
        uid: "1",
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
    null,
  ],
  ["metadata.finalizers", ["a"], null],
  ["metadata.managedFields", [{ manager: "a" }], null],
];

const at = (path: string, value: unknown): unknown =>
  (path === "" ? [] : path.split("."))
    .toReversed()
    .reduce<unknown>((inner, key) => (key === "0" ? [inner] : { [key]: inner }), value);

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const merged = (a: unknown, b: unknown): unknown => {
  // A list that a path goes through has one item.
  if (Array.isArray(a) && Array.isArray(b) && b.length > 0 && a.length > 0)
    return [merged(a[0], b[0])];
  if (!isMap(a) || !isMap(b)) return b;
  const out: Record<string, unknown> = { ...a };
  for (const [key, value] of Object.entries(b))
    out[key] = key in out ? merged(out[key], value) : value;
  return out;
};

export const withField = (base: unknown, path: string, value: unknown): unknown =>
  merged(base, at(path, value));

/** `base`: a sound object that each field is put into. */
export function everyField(base: unknown, fields: readonly Field[]): void {
  test.each(fields)("field %s = %j", (path, value, code) => {
    const text = JSON.stringify(withField(base, path, value));
    const { resources, diagnostics } = parseFiles([{ name: "x", text }]);
    const said = (severity: string) =>
      diagnostics.filter((one) => one.severity === severity).map((one) => one.code);
    const [, isWarned, warning = "BH0404"] = /^(warned)(?: (.*))?$/.exec(code ?? "") ?? [];
    const isSound = code === null || isWarned !== undefined;
    expect(said("error")).toEqual(isSound ? [] : (code ?? "").split(" "));
    expect(said("warning")).toEqual(isWarned === undefined ? [] : [warning]);
    expect(resources).toHaveLength(isSound ? 1 : 0);
  });
}
