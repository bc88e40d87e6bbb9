/**
 * `bulkhead convert DIR --to DIALECT`: manifests on stdout or in a folder, and on stderr what could not be said and the proof that
 * the rest is the same. What was refused, or differs, is not written: nobody should apply half of a policy.
 */
import { isPolicyResource } from "@bulkhead/dialects";
import { hasErrors } from "@bulkhead/model";
import { convert as convertAtDesk, isRefused, type Conversion } from "@bulkhead/workbench/desk";
import type { Context } from "../context.ts";
import { badInput, type ExitCode } from "../failure.ts";
import { readPolicyFiles } from "../input.ts";
import { parseLimits } from "../offline/limits.ts";
import { readingOf, tellProblems } from "../offline/open.ts";
import type { OfflineOptions } from "../offline/options.ts";
import { approximationNamed, targetNamed, targetNames } from "../offline/target.ts";
import { writeLines } from "../offline/write.ts";
import { saveFiles, targetsOf } from "../suggest/directory.ts";
import { conversionLines, conversionText } from "../views/convert.ts";
import type { Verb } from "./verb.ts";

export interface ConvertOptions extends OfflineOptions {
  readonly to?: string;
  readonly out?: string;
  readonly overwrite?: boolean;
  readonly approximate?: string;
}

export const convert: Verb<ConvertOptions> = async (context, args, options) => {
  if (options.to === undefined) throw badInput("`convert` needs `--to`", targetNames());
  const target = targetNamed(options.to);
  const approximation = approximationNamed(options.approximate);
  const { input } = parseLimits(options.limit ?? []);
  const files = await readPolicyFiles(context, args, input);
  const { ipBlockMatchesWorkloads, ...reading } = readingOf(context, options);
  const conversion = convertAtDesk(files, target, {
    ...reading,
    ...(options.ipBlock === undefined ? {} : { ipBlockMatchesWorkloads: ipBlockMatchesWorkloads! }),
    ...(approximation === undefined ? {} : { approximation }),
  });
  const { desk } = conversion;
  tellProblems(context, desk);
  if (!desk.resources.some(isPolicyResource)) {
    throw badInput(`no policy in ${args.map((path) => `\`${path}\``).join(", ")}`);
  }
  // What could not be read would be missing in what is written, without a word there.
  if (hasErrors(desk.diagnostics))
    throw badInput("not all of it could be read: nothing was written");
  const { stderr, format, ui } = context;
  stderr.write(
    format === "json"
      ? conversionLines(conversion)
      : conversionText(conversion, target, args.join(" "), options.ipBlock === undefined, ui),
  );
  return isRefused(conversion) ? 1 : await print(context, conversion, options);
};

async function print(
  context: Context,
  { written }: Conversion,
  options: ConvertOptions,
): Promise<ExitCode> {
  const { objects, text } = written;
  const isJson = context.format === "json";
  if (options.out === undefined) {
    const list = { apiVersion: "v1", kind: "List", items: objects };
    await writeLines(context.stdout, [isJson ? `${JSON.stringify(list, undefined, 2)}\n` : text]);
    return 0;
  }
  const { stringify } = await import("yaml");
  const taken = new Set<string>();
  const files = objects.map((one) => ({
    name: `${freeName(fileName(one), taken)}.${isJson ? "json" : "yaml"}`,
    text: isJson
      ? `${JSON.stringify(one, undefined, 2)}\n`
      : stringify(one, { lineWidth: 0, aliasDuplicateObjects: false }),
  }));
  await saveFiles(await targetsOf(options.out, files, options.overwrite === true));
  return 0;
}

/** `networkpolicy-shop-db`: kind, namespace and name are an object's own. */
function fileName({ kind, metadata }: Conversion["written"]["objects"][number]): string {
  const { name, namespace } = metadata as { readonly name: string; readonly namespace?: string };
  return [String(kind).toLowerCase(), namespace, name]
    .filter((part) => part !== undefined)
    .join("-");
}

/** `b-c` of namespace `a`, and `c` of `a-b`, and kinds of one name in two groups: none may be written over another. */
function freeName(wanted: string, taken: Set<string>): string {
  let name = wanted;
  for (let i = 2; taken.has(name); i += 1) name = `${wanted}-${i}`;
  taken.add(name);
  return name;
}
