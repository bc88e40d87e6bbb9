/** The verbs that list what a folder of files permits. */
import { LIST_FORMATS } from "../context.ts";
import type { AddVerb } from "../program.ts";
import { withOfflineOptions } from "./options.ts";

export function addListVerbs(verb: AddVerb): void {
  withOfflineOptions(
    verb(
      "list <files...>",
      "all connections that manifests in files and folders permit; `-` is standard input",
      "bulkhead list manifests/\nbulkhead list manifests/ -o svg > permitted.svg\nkustomize build . | bulkhead list - -o json",
      async () => (await import("../verbs/list.ts")).list,
      LIST_FORMATS,
    ),
  );
}
