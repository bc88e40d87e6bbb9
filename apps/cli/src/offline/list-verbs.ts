/** The verbs that list what a folder of files permits, or what is in force here. */
import { DIFF_FORMATS, EXPOSURE_FORMATS, LIST_FORMATS } from "../context.ts";
import type { AddVerb } from "../program.ts";
import { withOfflineOptions } from "./options.ts";

export function addListVerbs(verb: AddVerb): void {
  withOfflineOptions(
    verb(
      "list [files...]",
      "all connections that files and folders permit, or what is in force here; `-` is standard input",
      "bulkhead list manifests/\nbulkhead list\nbulkhead list manifests/ -o svg > permitted.svg\nkustomize build . | bulkhead list - -o json",
      async () => (await import("../verbs/list.ts")).list,
      LIST_FORMATS,
    ),
  );
  withOfflineOptions(
    verb(
      "diff <dir1> [dir2]",
      "what the second folder permits otherwise than the first, or one than what is in force; exit 1 if anything",
      "bulkhead diff before/ after/\nbulkhead diff policies/\nbulkhead diff before/ after/ -o md >> pull-request.md\nhelm template . | bulkhead diff deployed/ -",
      async () => (await import("../verbs/diff.ts")).diff,
      DIFF_FORMATS,
    ),
  );
  withOfflineOptions(
    verb(
      "exposure [files...]",
      "what could reach, and be reached by, workloads that the files do not have, or that are not here",
      "bulkhead exposure manifests/\nbulkhead exposure\nbulkhead exposure manifests/ -o md >> pull-request.md",
      async () => (await import("../verbs/exposure.ts")).exposure,
      EXPOSURE_FORMATS,
    ),
  );
}
