/** `bulkhead schema`: the JSON Schemas of what verbs print with `-o json`, and of the resources people write. */
import type { CommonOptions } from "../context.ts";
import { badInput } from "../failure.ts";
import { nearest } from "../ui/spell.ts";
import type { Ui } from "../ui/ui.ts";
import type { Verb } from "./verb.ts";

/** Who prints what is not named after its verb. */
const PRINTED_BY: Readonly<Record<string, string>> = {
  edges: "observe",
  flows: "observe --flows, observe --follow; one a line",
  probe: "probe; one a line",
  revision: "history REVISION",
  inventory: "workloads --inventory",
  change: "explain --change",
  "decide-query": "decide --queries reads it; one a line",
  "flows-import": "flows import",
  "flows-export": "flows export",
  "flow-formats": "flows formats",
  exportFlows: "nobody: `flows export` asks it, and writes the bytes; one piece a line",
  importFlows: "nobody: `flows import` asks it, batch by batch",
  failure: "any verb, on stderr",
};

interface Published {
  readonly answers: Readonly<Record<string, unknown>>;
  readonly resources: Readonly<Record<string, unknown>>;
}

async function published(): Promise<Published> {
  const [{ publishedSchemas }, { nativeSchemas }, { ownSchemas }] = await Promise.all([
    import("@bulkhead/api"),
    import("@bulkhead/dialects"),
    import("../schemas.ts"),
  ]);
  const answers: Readonly<Record<string, unknown>> = { ...publishedSchemas(), ...ownSchemas() };
  const resources = Object.fromEntries(
    Object.entries(nativeSchemas()).map(([file, one]) => [file.replace(/\.json$/, ""), one]),
  );
  return { answers, resources };
}

export async function schemaNames(): Promise<readonly string[]> {
  const { answers, resources } = await published();
  return [...Object.keys(answers), ...Object.keys(resources)];
}

export const schema: Verb<CommonOptions> = async (_context, [name]) => {
  const { answers, resources } = await published();
  if (name === undefined) {
    return {
      value: { answers, resources },
      text: (ui) =>
        `${ui.style.dim("answers")}\n${lines(answers, ui)}\n${ui.style.dim("resources")}\n${lines(resources, ui)}`,
      next: ["schema status", "schema resource > bulkhead.schema.json"],
      exitCode: 0,
    };
  }
  const all: Readonly<Record<string, unknown>> = { ...answers, ...resources };
  const found = all[name === "observe" ? "edges" : name];
  if (found === undefined) {
    const near = nearest(name, Object.keys(all));
    throw badInput(
      `no schema is called \`${name}\``,
      near === undefined ? "`bulkhead schema` lists them" : `did you mean \`${near}\`?`,
    );
  }
  return {
    value: found,
    text: () => `${JSON.stringify(found, undefined, 2)}\n`,
    next: [],
    exitCode: 0,
  };
};

function lines(schemas: Readonly<Record<string, unknown>>, { style }: Ui): string {
  return Object.keys(schemas)
    .map((name) => {
      const by = PRINTED_BY[name];
      return by === undefined ? `  ${name}\n` : `  ${name.padEnd(12)}${style.dim(by)}\n`;
    })
    .join("");
}
